"""One timer for all matches."""

from collections.abc import Callable

from server.matches.pace import Pace, Patience
from server.matches.scheduler import SLICE_S, Scheduler, Ticking


class Time:
    """A loop's clock and timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, Timer]] = []

    def call_later(self, delay: float, call: Callable[[], None]) -> "Timer":
        timer = Timer(call)
        self.timers.append((self.now + delay, timer))
        return timer

    def pass_until(self, until: float) -> int:
        """Let timers fire in order. Returns how many did."""
        fired = 0
        while pending := sorted(
            (each for each in self.timers if not each[1].cancelled and each[0] <= until),
            key=lambda each: each[0],
        ):
            at, timer = pending[0]
            self.timers.remove(pending[0])
            self.now = max(self.now, at)
            timer.call()
            fired += 1
        self.now = max(self.now, until)
        return fired


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Busy:
    """A match whose ticks take a time, and that ends after some."""

    def __init__(
        self, time: Time, rate: int, *, first: float = 0.0, spends: float = 0.0, ticks: int = 10**6
    ) -> None:
        self.pace = Pace(rate, first, Patience())
        self._time = time
        self._spends = spends
        self._left = ticks
        self.at: list[float] = []

    def tick(self) -> bool:
        self.at.append(round(self._time.now, 6))
        self._time.now += self._spends
        self._left -= 1
        return self._left > 0


def scheduler_of(time: Time) -> Scheduler:
    return Scheduler(lambda: time.now, time.call_later)


def test_each_match_ticks_at_its_own_rate() -> None:
    time = Time()
    scheduler = scheduler_of(time)
    slow, fast = Busy(time, 2), Busy(time, 10, first=0.05)

    scheduler.add(slow)
    scheduler.add(fast)
    time.pass_until(1.0)

    assert slow.at == [0.0, 0.5, 1.0]
    assert fast.at == [round(0.05 + n / 10, 6) for n in range(10)]
    assert (scheduler.lateness.count, scheduler.lateness.total) == (13, 0.0)


def test_a_new_match_with_an_earlier_deadline_is_not_kept_waiting() -> None:
    time = Time()
    scheduler = scheduler_of(time)
    scheduler.add(Busy(time, 1, first=10.0))
    early = Busy(time, 1, first=1.0)

    scheduler.add(early)
    time.pass_until(2.0)

    assert early.at == [1.0, 2.0]
    assert sum(not timer.cancelled for _, timer in time.timers) == 1


def test_the_longest_due_goes_first_and_the_loop_gets_its_turns() -> None:
    time = Time()
    scheduler = scheduler_of(time)
    matches = [Busy(time, 1, first=n / 1000, spends=SLICE_S * 0.6) for n in range(8)]
    for match in reversed(matches):
        scheduler.add(match)
    time.now = 0.5

    wakes = time.pass_until(0.55)

    assert [match.at[0] for match in matches] == sorted(match.at[0] for match in matches)
    assert wakes >= 4  # two to a slice
    assert scheduler.duration.total > 0


def test_a_match_that_is_over_ticks_no_more() -> None:
    time = Time()
    scheduler = scheduler_of(time)
    short, removed, other = Busy(time, 10, ticks=2), Busy(time, 10), Busy(time, 10)
    for match in (short, removed, other):
        scheduler.add(match)

    time.pass_until(0.35)
    scheduler.remove(removed)
    time.pass_until(0.55)

    assert (len(short.at), len(removed.at), len(other.at)) == (2, 4, 6)
    assert len(scheduler) == 1


def test_after_the_end_no_timer_is_left() -> None:
    time = Time()
    scheduler = scheduler_of(time)
    match = Busy(time, 10)
    scheduler.add(match)

    scheduler.close()

    assert time.pass_until(10.0) == 0
    assert match.at == []


def test_what_watches_ticks_takes_their_place() -> None:
    time = Time()
    scheduler = scheduler_of(time)
    ticked: list[Ticking] = []
    match = Busy(time, 10, ticks=2)
    assert scheduler.next_due is None
    scheduler.add(match)
    assert scheduler.next_due == 0.0
    plain = scheduler.tick

    def tick(each: Ticking) -> bool:
        ticked.append(each)
        return plain(each)

    scheduler.tick = tick
    time.pass_until(1.0)

    assert ticked == [match, match]
    assert len(match.at) == 2
