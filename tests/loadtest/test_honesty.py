"""When a run does not count, at the edge of each limit."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from loadtest.histogram import Histogram
from loadtest.honesty import HonestyCount, own_use
from loadtest.notes import Sample
from loadtest.plan import Limits
from loadtest.result import Honesty, Truth

LIMITS = Limits(lag_p99_ms=20, lag_max_ms=1000, slip_p99_ms=20, cpu=0.92, gc_max_ms=100)


def encoded(milliseconds: Sequence[float]) -> str:
    histogram = Histogram()
    for each in milliseconds:
        histogram.record(round(each * 1000))
    return histogram.take()


def sample(lag: Sequence[float] = (0.1,) * 100, slip: Sequence[float] = (), **more: Any) -> Sample:
    members: dict[str, Any] = {
        "at_s": 1.0,
        "connected": 10,
        "counts": {},
        "errors": {},
        "timings": {},
        "truth": Truth(),
        "cpu_s": 0.8,
        "lag": encoded(lag),
        "slip": encoded(slip),
        "gc_max_ms": 0.5,
    }
    return Sample(**{**members, **more})


def judged(*samples: Sample) -> Honesty:
    count = HonestyCount(LIMITS)
    for each in samples:
        count.add("worker 0", each, 1.0)
    return count.result(10.0)


def test_a_swarm_that_kept_up_gives_no_reason() -> None:
    honesty = judged(sample(slip=[0.2] * 50), sample())

    assert honesty.reasons == []
    assert honesty.limits == {
        "lag_p99_ms": 20.0,
        "lag_max_ms": 1000.0,
        "slip_p99_ms": 20.0,
        "cpu": 0.92,
        "gc_max_ms": 100.0,
    }


AT_THE_LIMIT = {
    "lag p99": sample(lag=[1.0] * 98 + [20.0] * 2),
    "lag max": sample(lag=[1.0] * 999 + [1000.0]),
    "slip p99": sample(slip=[1.0] * 98 + [20.0] * 2),
    "cpu": sample(cpu_s=0.92),
    "gc": sample(gc_max_ms=100.0),
}
OVER_THE_LIMIT = {
    "lag p99": (sample(lag=[1.0] * 98 + [20.5] * 2), "late by 20.5 ms or more (limit 20.0 ms)"),
    "lag max": (sample(lag=[1.0] * 999 + [1010.0]), "late by 1010.2 ms once (limit 1000.0 ms)"),
    "slip p99": (
        sample(slip=[1.0] * 98 + [20.5] * 2),
        "one act in a hundred 20.5 ms or more after it was due",
    ),
    "cpu": (sample(cpu_s=0.93), "used 93.0 % of a processor (limit 92.0 %)"),
    "gc": (sample(gc_max_ms=101.0), "the collector held up a worker for 101.0 ms (limit 100.0 ms)"),
}


@pytest.mark.parametrize("name", AT_THE_LIMIT)
def test_a_swarm_at_a_limit_is_within_it(name: str) -> None:
    assert judged(AT_THE_LIMIT[name]).reasons == []


@pytest.mark.parametrize("name", OVER_THE_LIMIT)
def test_a_swarm_over_a_limit_was_the_bottleneck(name: str) -> None:
    over, words = OVER_THE_LIMIT[name]

    reasons = judged(over).reasons

    assert len(reasons) == 1
    assert words in reasons[0]


def test_each_limit_that_was_passed_is_told() -> None:
    assert len(judged(sample(lag=[2000.0] * 10, slip=[50.0] * 10, cpu_s=1.0, gc_max_ms=500)).reasons) == 5


def test_one_busy_worker_is_not_hidden_by_idle_ones() -> None:
    count = HonestyCount(LIMITS)
    for second in range(10):
        count.add(0, sample(cpu_s=0.1), 1.0)
        count.add(1, sample(cpu_s=0.99 if second else 0.9), 1.0)

    honesty = count.result(10.0)

    assert honesty.cpu == pytest.approx(0.981)
    assert len(honesty.reasons) == 1


@pytest.mark.parametrize("late", [{"lag": [0.1] * 98 + [30.0] * 2}, {"slip": [0.1] * 98 + [30.0] * 2}])
def test_one_late_worker_is_not_hidden_by_many_that_are_not(late: dict[str, Sequence[float]]) -> None:
    count = HonestyCount(LIMITS)
    for worker in range(30):
        count.add(worker, sample(slip=[0.1] * 100), 1.0)
    count.add(30, sample(**{"slip": [0.1] * 100, **late}), 1.0)

    reasons = count.result(10.0).reasons

    assert len(reasons) == 1
    assert "30.0 ms or more" in reasons[0]


def test_the_processor_is_judged_over_the_time_that_samples_cover() -> None:
    count = HonestyCount(LIMITS)

    count.add(0, sample(cpu_s=1.8), 2.0)
    count.add(0, sample(cpu_s=0.2), 1.0)

    assert count.result(10.0).cpu == pytest.approx(2 / 3)


def test_processor_time_that_others_took_makes_a_run_invalid_too() -> None:
    reasons = judged(sample(lag=[0.1] * 90 + [30.0] * 10, cpu_s=0.3)).reasons

    assert len(reasons) == 2
    assert "used only 30 % of a processor: other programs, or the host of this machine," in reasons[1]


def test_a_slow_collector_is_not_laid_upon_others() -> None:
    assert len(judged(sample(gc_max_ms=101.0, cpu_s=0.1)).reasons) == 1


def test_a_server_that_freezes_does_not_make_a_run_invalid() -> None:
    # The players wait for ten seconds: their worker idles, its loop and its acts are on time.
    assert judged(*[sample(slip=[0.3] * 20, cpu_s=0.01)] * 10).reasons == []


@pytest.mark.parametrize("missing", ["files", "ports", "memory"])
def test_a_machine_that_opens_no_more_sockets_was_the_bottleneck(missing: str) -> None:
    count = HonestyCount(LIMITS)
    count.add("worker 0", sample(), 1.0)
    for _ in range(2):
        count.add_shortages(sample(short_of={missing: 3}))

    [reason] = count.result(10.0).reasons

    assert reason.startswith(f"6 times a machine of the swarm had no {missing} left for a socket: ")


def test_workers_that_tell_nothing_are_not_believed() -> None:
    nothing = HonestyCount(LIMITS)

    assert nothing.result(1.0).reasons == ["no worker told how it fared while it was measured"]
    assert judged(sample(lag=())).reasons == ["no worker told how it fared while it was measured"]


def test_a_load_that_ended_before_anybody_could_tell_is_not_the_swarms_fault() -> None:
    assert HonestyCount(LIMITS).result(0.9).reasons == []


def test_an_interval_tells_the_worst_of_its_workers() -> None:
    use = own_use(
        [
            (sample(lag=[1.0, 40.0], slip=[2.0], cpu_s=0.2, gc_max_ms=7.0), 1.0),
            (sample(lag=[3.0], slip=[9.0], cpu_s=0.9, gc_max_ms=1.0), 1.5),
        ]
    )

    assert use.lag_ms == pytest.approx(40, rel=0.001)
    assert use.slip_ms == pytest.approx(9, rel=0.001)
    assert use.cpu == pytest.approx(0.6)
    assert use.gc_ms == 7.0


def test_an_interval_without_samples_is_empty() -> None:
    use = own_use([])

    assert (use.cpu, use.lag_ms, use.slip_ms, use.gc_ms) == (0.0, 0.0, 0.0, 0.0)


def test_what_is_no_histogram_is_not_believed() -> None:
    with pytest.raises(ValueError, match="no histogram"):
        judged(msgspec.structs.replace(sample(), lag="nonsense"))
