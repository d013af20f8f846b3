"""An alarm calls when it is due, not before, and once, so that waiting for it keeps no processor busy."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import uvloop

from loadtest import alarm
from loadtest.alarm import MS_NS, Alarm, FileAlarm, LoopAlarm
from loadtest.pacer import Pacer
from tests.support.inprocess import until

KINDS = [LoopAlarm, FileAlarm]


class Calls:
    """When the alarm called; it is cleared each time."""

    def __init__(self, kind: Callable[[Callable[[], None]], Alarm]) -> None:
        self.at_ns: list[int] = []
        self.alarm = kind(self._call)

    def set(self, in_ns: int) -> int:
        now_ns = time.monotonic_ns()
        self.alarm.set(now_ns + in_ns, now_ns)
        return now_ns + in_ns

    def _call(self) -> None:
        self.at_ns.append(time.monotonic_ns())
        self.alarm.clear()


@contextmanager
def calls(kind: Callable[[Callable[[], None]], Alarm]) -> Iterator[Calls]:
    made = Calls(kind)
    yield made
    made.alarm.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_ns", [5 * MS_NS, MS_NS // 3])
async def test_it_calls_once_and_not_too_early(
    kind: Callable[[Callable[[], None]], Alarm], in_ns: int
) -> None:
    with calls(kind) as called:
        due_ns = called.set(in_ns)
        await until(lambda: bool(called.at_ns))
        await until(lambda: time.monotonic_ns() > due_ns + 5 * MS_NS)

        assert len(called.at_ns) == 1
        # The loop reckons from the last whole millisecond that it has seen.
        assert called.at_ns[0] >= due_ns - (MS_NS if kind is LoopAlarm else 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_ns", [0, -(10**9), -(10**18)])
async def test_what_is_due_already_calls_at_once(
    kind: Callable[[Callable[[], None]], Alarm], in_ns: int
) -> None:
    with calls(kind) as called:
        called.set(in_ns)

        await until(lambda: bool(called.at_ns))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_set_anew_or_cleared_does_not_call(
    kind: Callable[[Callable[[], None]], Alarm],
) -> None:
    with calls(kind) as called, calls(kind) as cleared:
        called.set(MS_NS)
        due_ns = called.set(20 * MS_NS)
        cleared.set(MS_NS)
        cleared.alarm.clear()

        await until(lambda: bool(called.at_ns))

        assert called.at_ns[0] >= due_ns - MS_NS
        assert cleared.at_ns == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_one_does_not_call_and_may_be_closed_again(
    kind: Callable[[Callable[[], None]], Alarm],
) -> None:
    with calls(kind) as called, calls(kind) as other:
        called.set(MS_NS)
        called.alarm.close()
        other.set(5 * MS_NS)

        await until(lambda: bool(other.at_ns))

        assert called.at_ns == []


async def test_here_it_is_exact_and_where_there_is_no_file_for_it_a_timer_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exact = alarm.alarm(lambda: None)
    monkeypatch.setattr(alarm, "CLOCK_MONOTONIC", -1)
    other = alarm.alarm(lambda: None)
    exact.close()

    assert isinstance(exact, FileAlarm)
    assert isinstance(other, LoopAlarm)


@pytest.mark.parametrize("kind", KINDS)
def test_who_waits_by_it_is_called_no_more_often_than_something_is_due(
    kind: Callable[[Callable[[], None]], Alarm],
) -> None:
    acts, called = 30, 0

    def counted(call: Callable[[], None]) -> Alarm:
        def count() -> None:
            nonlocal called
            called += 1
            call()

        return kind(count)

    async def act() -> None:
        pacer = Pacer(lambda _slip_us: None, alarm=counted)
        for _ in range(acts):
            await pacer.until(time.monotonic_ns() + MS_NS * 3 // 10)
        pacer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(act())

    # The loop's clock is in whole milliseconds, so its timers may call once too early.
    assert 0 < called <= (2 * acts if kind is LoopAlarm else acts) + 2
