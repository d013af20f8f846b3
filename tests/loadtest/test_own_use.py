"""How a worker watches itself, by a clock and a loop that the test turns."""

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

from loadtest.histogram import Histogram, values
from loadtest.own_use import BEAT_S, OwnUseWatch


class Loop:
    """One timer at a time; `turn` lets the time pass and runs it when it is due."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cpu = 5.0
        self._due = 0.0
        self._run: Callable[[], None] | None = None

    def call_later(self, delay: float, run: Callable[[], None]) -> "Loop":
        assert self._run is None
        self._due, self._run = self.now + delay, run
        return self

    def cancel(self) -> None:
        self._run = None

    def turn(self, until: float) -> None:
        """Run all that is due up to then, each on time."""
        while self._run is not None and self._due <= until:
            self.now = max(self.now, self._due)
            self._fire()
        self.now = until

    def freeze(self, seconds: float) -> None:
        """Nothing runs for so long; then what is due does."""
        self.now += seconds
        if self._run is not None and self._due <= self.now:
            self._fire()

    def _fire(self) -> None:
        assert self._run is not None
        run, self._run = self._run, None
        run()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def watch(loop: Loop) -> Iterator[OwnUseWatch]:
    made = OwnUseWatch(lambda: loop.now, lambda: loop.cpu)
    made.start(loop.call_later)
    yield made
    made.stop()


def milliseconds(encoded: str, percent: float) -> float:
    histogram = Histogram()
    histogram.add(encoded)
    return histogram.percentile_ms(percent)


def test_a_loop_on_time_is_not_late(loop: Loop, watch: OwnUseWatch) -> None:
    loop.turn(101.0)

    lag = watch.take().lag
    assert sum(count for _, count in values(lag)) == pytest.approx(100, abs=1)
    assert milliseconds(lag, 100) < 0.1


def test_a_stall_counts_for_each_beat_that_it_held_up(loop: Loop, watch: OwnUseWatch) -> None:
    loop.turn(109.0)
    loop.freeze(1.0)

    # Of 1,000 beats, 100 were late: by 1000, 990, 980... ms, the one at the 95th percentile by half a second.
    lag = watch.take().lag
    assert milliseconds(lag, 100) == pytest.approx(1000, rel=0.02)
    assert milliseconds(lag, 95) == pytest.approx(500, rel=0.03)
    assert milliseconds(lag, 89) < 1


def test_a_stall_that_is_not_over_is_told_already(loop: Loop, watch: OwnUseWatch) -> None:
    loop.turn(101.0)
    loop.now += 0.5

    assert milliseconds(watch.take().lag, 100) == pytest.approx(490, abs=11)


def test_a_stall_of_hours_costs_no_hours_of_records(loop: Loop, watch: OwnUseWatch) -> None:
    loop.freeze(7200.0)

    lag = watch.take().lag
    assert sum(count for _, count in values(lag)) < 6100
    assert milliseconds(lag, 100) == pytest.approx(3_600_000, rel=0.01)


def test_timers_that_come_a_little_early_do_not_spin(loop: Loop, watch: OwnUseWatch) -> None:
    loop.now += BEAT_S - 0.0004
    loop._due = loop.now
    loop.turn(loop.now)

    assert loop._due - loop.now == pytest.approx(BEAT_S + 0.0004)


def test_taking_begins_anew(loop: Loop, watch: OwnUseWatch) -> None:
    watch.slip.record(3000)
    loop.cpu += 0.25
    loop.freeze(0.3)
    first = watch.take()
    loop.turn(loop.now + 1)
    second = watch.take()

    assert (first.cpu_s, second.cpu_s) == (0.25, 0.0)
    assert milliseconds(first.slip, 100) == pytest.approx(3, rel=0.01)
    assert second.slip == ""
    assert milliseconds(second.lag, 100) < 0.1


def test_pauses_of_the_collector_are_measured(loop: Loop, watch: OwnUseWatch) -> None:
    def slow(phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            loop.now += 0.040

    gc.callbacks.append(slow)
    try:
        gc.collect()
        gc.collect()
    finally:
        gc.callbacks.remove(slow)

    taken = watch.take()
    assert taken.gc_max_ms == pytest.approx(40)
    assert watch.take().gc_max_ms == 0


def test_nothing_is_left_behind_after_the_stop(loop: Loop) -> None:
    before = list(gc.callbacks)
    watch = OwnUseWatch(lambda: loop.now, lambda: loop.cpu)

    watch.start(loop.call_later)
    watch.stop()
    watch.stop()

    assert gc.callbacks == before
    assert loop._run is None


async def test_a_real_loop_beats() -> None:
    watch = OwnUseWatch()
    watch.start(asyncio.get_running_loop().call_later)
    seen = asyncio.Event()
    asyncio.get_running_loop().call_later(10 * BEAT_S, seen.set)

    await seen.wait()
    taken = watch.take()
    watch.stop()

    assert sum(count for _, count in values(taken.lag)) >= 9
    assert taken.cpu_s >= 0
