"""One-time tickets: once, in time, for as long as the login lives, and never too many."""

from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from server.identity import base64url
from server.identity.failures import TicketsFull
from server.identity.tickets import PER_FAMILY, TICKET_TTL_S, TicketRefusal, Tickets
from server.identity.tokens import SessionClaims
from server.ids import RandomIds
from tests.support.clock import ManualClock


def claims(family_id: str = "family") -> SessionClaims:
    return SessionClaims("user", "ada", family_id, {}, 0, 2_000_000_000)


@dataclass
class Desk:
    """Tickets whose logins a test ends."""

    clock: ManualClock = field(default_factory=ManualClock)
    ended: set[str] = field(default_factory=set)
    max_tickets: int = 100
    tickets: Tickets = field(init=False)

    def __post_init__(self) -> None:
        self.tickets = Tickets(
            lambda found: found.family_id not in self.ended,
            self.clock,
            RandomIds("test"),
            max_tickets=self.max_tickets,
        )


def test_a_ticket_is_32_random_bytes_in_43_characters() -> None:
    desk = Desk()

    first, second = desk.tickets.issue(claims()), desk.tickets.issue(claims())

    assert first != second
    assert len(first) == 43
    assert len(base64url.decode(first)) == 32


def test_a_ticket_stands_for_the_claims_that_bought_it() -> None:
    desk = Desk()

    assert desk.tickets.redeem(desk.tickets.issue(claims("a"))) == claims("a")
    assert (desk.tickets.issued, desk.tickets.redeemed, len(desk.tickets)) == (1, 1, 0)


def test_a_ticket_counts_once() -> None:
    desk = Desk()
    ticket = desk.tickets.issue(claims())
    desk.tickets.redeem(ticket)

    assert desk.tickets.redeem(ticket) is None
    assert desk.tickets.refused == {"unknown": 1, "expired": 0, "ended": 0}


@pytest.mark.parametrize(("age_s", "counts"), [(TICKET_TTL_S - 0.001, True), (TICKET_TTL_S, False)])
def test_a_ticket_counts_for_less_than_thirty_seconds(age_s: float, counts: bool) -> None:
    desk = Desk()
    ticket = desk.tickets.issue(claims())

    desk.clock.advance(age_s)

    assert (desk.tickets.redeem(ticket) == claims()) is counts
    assert desk.tickets.refused[TicketRefusal.EXPIRED] == (not counts)


def test_the_wall_clock_neither_ends_nor_prolongs_a_ticket() -> None:
    desk = Desk()
    ticket = desk.tickets.issue(claims())

    desk.clock._wall += 1_000_000

    assert desk.tickets.redeem(ticket) == claims()


def test_a_ticket_of_an_ended_login_does_not_count_and_is_used_up() -> None:
    desk = Desk()
    ticket = desk.tickets.issue(claims())
    desk.ended.add("family")

    refused = desk.tickets.redeem(ticket)
    desk.ended.clear()

    assert (refused, desk.tickets.redeem(ticket)) == (None, None)
    assert desk.tickets.refused == {"unknown": 1, "expired": 0, "ended": 1}


@pytest.mark.parametrize("garbage", ["", "x", "A" * 43, "é" * 43, "x" * 100_000])
def test_garbage_is_no_ticket(garbage: str) -> None:
    assert Desk().tickets.redeem(garbage) is None


def test_the_ninth_ticket_of_a_login_pushes_out_its_oldest_and_nobody_elses() -> None:
    desk = Desk()
    others = desk.tickets.issue(claims("other"))
    oldest, *rest = [desk.tickets.issue(claims()) for _ in range(PER_FAMILY + 1)]

    assert desk.tickets.redeem(oldest) is None
    assert [desk.tickets.redeem(ticket) for ticket in rest] == [claims()] * PER_FAMILY
    assert desk.tickets.redeem(others) == claims("other")
    assert desk.tickets.pushed_out == 1


def test_used_and_expired_tickets_make_room_for_their_login() -> None:
    desk = Desk()
    desk.tickets.redeem(desk.tickets.issue(claims()))
    oldest, *_ = [desk.tickets.issue(claims()) for _ in range(PER_FAMILY)]
    kept = desk.tickets.redeem(oldest)
    desk.clock.advance(TICKET_TTL_S)
    for _ in range(PER_FAMILY):
        desk.tickets.issue(claims())

    assert kept == claims()
    assert (desk.tickets.pushed_out, len(desk.tickets)) == (0, PER_FAMILY)


def test_a_full_store_gives_none_until_its_oldest_expires() -> None:
    desk = Desk(max_tickets=2)
    desk.tickets.issue(claims("a"))
    desk.clock.advance(10.5)
    kept = desk.tickets.issue(claims("b"))

    with capture_logs() as logs:
        refusals = [refusal(desk) for _ in range(2)]
    desk.clock.advance(19.5)
    desk.tickets.issue(claims("c"))

    assert refusals == [20, 20]
    assert [entry["event"] for entry in logs] == ["tickets_full"]
    assert desk.tickets.not_given == 2
    assert desk.tickets.redeem(kept) == claims("b")


def refusal(desk: Desk) -> int:
    with pytest.raises(TicketsFull) as full:
        desk.tickets.issue(claims("c"))
    return full.value.retry_after_s


def test_a_full_store_still_changes_a_logins_oldest_for_a_newer_one() -> None:
    desk = Desk(max_tickets=PER_FAMILY)
    for _ in range(PER_FAMILY):
        desk.tickets.issue(claims())

    assert desk.tickets.redeem(desk.tickets.issue(claims())) == claims()


def test_nothing_is_kept_of_tickets_that_are_gone() -> None:
    desk = Desk()
    for at in range(PER_FAMILY):
        desk.tickets.issue(claims(str(at)))
    desk.clock.advance(TICKET_TTL_S)
    desk.tickets.redeem(desk.tickets.issue(claims()))

    assert (len(desk.tickets), desk.tickets._of_family) == (0, {})
