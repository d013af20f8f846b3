"""The beat of the loop, on a clock that the tests turn."""

from collections.abc import Callable

import pytest

from server.observe.loop_lag import BEAT_S, TOLERANCE_S, LoopLag
from tests.support.clock import ManualClock


class Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Keeps the one call that is due; `run` comes so much too late."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lag = LoopLag(self.clock.monotonic)
        self.timer = Timer()
        self.call: Callable[[], None] | None = None
        self.lag.start(self.call_later)

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        assert delay == BEAT_S
        self.call = call
        return self.timer

    def run(self, late: float = 0.0) -> None:
        self.clock.advance(BEAT_S + late)
        call, self.call = self.call, None
        assert call is not None
        call()


def test_every_beat_is_counted_with_how_late_it_was() -> None:
    loop = Loop()

    for late in (0.0, 0.004, 0.2):
        loop.run(late)

    counts = dict(loop.lag.lags.cumulative())
    assert (counts["0.0005"], counts["0.005"], counts["0.1"], counts["0.25"]) == (1, 2, 2, 3)


def test_a_clock_that_seems_to_run_slow_makes_no_lag_below_nothing() -> None:
    loop = Loop()

    loop.run(late=-0.002)

    assert loop.lag.lags.total == 0
    assert loop.lag.lags.count == 1


def test_the_loop_is_late_from_the_moment_its_beat_is_overdue() -> None:
    loop = Loop()

    loop.clock.advance(BEAT_S + TOLERANCE_S - 0.001)
    assert loop.lag.on_time
    loop.clock.advance(0.002)

    assert not loop.lag.on_time


def test_the_loop_counts_as_late_until_a_beat_was_on_time() -> None:
    loop = Loop()

    loop.run(late=0.5)
    assert not loop.lag.on_time
    loop.run()

    assert loop.lag.on_time


def test_after_the_end_there_is_no_beat_and_nothing_is_late() -> None:
    loop = Loop()

    loop.lag.stop()
    loop.clock.advance(60)

    assert loop.timer.cancelled
    assert loop.lag.on_time


@pytest.mark.parametrize("stop_twice", [False, True])
def test_a_beat_that_never_began_can_be_ended(stop_twice: bool) -> None:
    lag = LoopLag(ManualClock().monotonic)

    for _ in range(1 + stop_twice):
        lag.stop()

    assert lag.on_time
