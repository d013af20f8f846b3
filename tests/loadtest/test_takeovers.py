"""An older socket must be gone in time when a newer one of its user is open."""

from types import SimpleNamespace
from typing import Any, cast

from loadtest.histogram import Histogram
from loadtest.ledger import Ledger
from loadtest.pacer import NS
from loadtest.socket import Socket, State
from loadtest.takeovers import GRACE_NS, Takeovers
from loadtest.timings import Timings

OPENED_NS = 10 * NS


class Stage:
    """Takeovers with sockets that are only their states."""

    def __init__(self) -> None:
        self.ledger, self.timings = Ledger(), Timings()
        self.takeovers = Takeovers(self.ledger, self.timings)
        self.aborted = 0

    def socket(self, opened_ns: int = 0, closed_ns: int = 0, state: State = State.OPEN) -> Socket:
        made: Any = SimpleNamespace(opened_ns=opened_ns, closed_ns=closed_ns, state=state)

        def abort() -> None:
            self.aborted += 1
            made.state = State.CLOSED

        made.abort = abort
        return cast(Socket, made)

    def kicks_us(self) -> list[int]:
        batches = self.timings["kick"].take()
        found = Histogram()
        for batch in batches:
            found.add(batch.response)
        return [len(found), round(found.percentile_ms(100) * 1000)] if len(found) else []


def test_an_older_socket_that_stays_is_a_fault_and_cut_off() -> None:
    stage = Stage()
    stage.takeovers.watch(stage.socket(), stage.socket(OPENED_NS))

    stage.takeovers.sweep(OPENED_NS + GRACE_NS)
    assert (stage.ledger.two_sockets, stage.aborted) == (0, 0)
    stage.takeovers.sweep(OPENED_NS + GRACE_NS + 1)
    stage.takeovers.sweep(OPENED_NS + 2 * GRACE_NS)

    assert (stage.ledger.two_sockets, stage.aborted) == (1, 1)


def test_an_older_socket_that_is_closed_in_time_is_timed() -> None:
    stage = Stage()
    older = stage.socket()
    stage.takeovers.watch(older, stage.socket(OPENED_NS))
    older.closed_ns, older.state = OPENED_NS + 4_000_000, State.CLOSED

    stage.takeovers.sweep(OPENED_NS + 1)

    assert stage.ledger.two_sockets == 0
    count, longest_us = stage.kicks_us()
    assert count == 1
    assert abs(longest_us - 4000) < 10


def test_one_that_was_closed_before_the_newer_one_heard_of_it_took_no_time() -> None:
    stage = Stage()

    stage.takeovers.kicked(stage.socket(closed_ns=OPENED_NS - 5), stage.socket(OPENED_NS))

    assert stage.kicks_us()[0] == 1
    assert stage.kicks_us() == []


def test_one_that_ended_without_a_close_is_neither_timed_nor_a_fault() -> None:
    stage = Stage()
    stage.takeovers.watch(stage.socket(state=State.CLOSED), stage.socket(OPENED_NS))

    stage.takeovers.sweep(OPENED_NS + 2 * GRACE_NS)

    assert (stage.ledger.two_sockets, stage.kicks_us()) == (0, [])


def test_at_the_end_only_who_had_its_time_is_a_fault() -> None:
    stage = Stage()
    stage.takeovers.watch(stage.socket(), stage.socket(OPENED_NS))
    stage.takeovers.watch(stage.socket(), stage.socket(OPENED_NS + GRACE_NS))

    stage.takeovers.sweep(OPENED_NS + GRACE_NS + 1, last=True)

    assert stage.ledger.two_sockets == 1
