"""Only the measured time is cut, and no latency is lost by it."""

import msgspec
import pytest

from loadtest.bootstrap import MAX_STRETCHES
from loadtest.failures import SwarmError
from loadtest.histogram import values
from loadtest.result import Interval, Result
from loadtest.stretches import Side, cost, cut, delivered, latencies, mean_of, percentile_of
from tests.support.swarm_results import interval, result, spread

BASE = result()


def run(intervals: list[Interval], begin: float = 0.0) -> Result:
    length = sum(each.for_s for each in intervals) - begin
    return msgspec.structs.replace(BASE, intervals=intervals, measured_from_s=begin, measured_s=length)


def value(side: Side | None) -> float | None:
    return None if side is None else side.value


@pytest.mark.parametrize(("intervals", "stretches"), [(0, 0), (3, 3), (60, 60), (61, 60), (300, 60)])
def test_there_are_never_more_stretches_than_can_be_drawn(intervals: int, stretches: int) -> None:
    found = cut(run([interval(second) for second in range(intervals)]), seed=1)

    assert (found.intervals, len(found.stretches)) == (intervals, stretches)
    assert [each.at_s for stretch in found.stretches for each in stretch] == list(range(intervals))
    assert MAX_STRETCHES == 60


def test_fewer_than_five_intervals_are_not_drawn() -> None:
    four, five = (cut(run([interval(second) for second in range(count)]), seed=1) for count in (4, 5))

    assert four.draws is None
    assert five.draws is not None


def test_warm_up_does_not_count() -> None:
    found = cut(run([interval(0, [500.0]), interval(1, [5.0]), interval(2, [6.0])], begin=1.0), seed=1)

    counted = latencies(found, "deliver")

    assert percentile_of(found, counted, 100).value == pytest.approx(6, rel=0.001)
    assert mean_of(found, counted).value == pytest.approx(5.5, rel=0.001)


def test_stretches_of_several_intervals_have_all_of_their_latencies() -> None:
    intervals = [interval(second, [second + 1.0, 1000.0]) for second in range(150)]

    counted = latencies(cut(run(intervals), seed=1), "deliver")

    assert len(counted) == 60
    together = sorted(pair for stretch in counted for pair in stretch)
    apart = sorted(pair for each in intervals for pair in values(each.response["deliver"].hdr))
    assert sum(v * c for v, c in together) == sum(v * c for v, c in apart)
    assert sum(count for _, count in together) == 300


def test_seconds_without_the_operation_are_empty_stretches() -> None:
    intervals = [interval(0), interval(1, response={}), interval(2, [])]
    found = cut(run(intervals), seed=1)

    assert [bool(each) for each in latencies(found, "deliver")] == [True, False, False]
    assert latencies(found, "echo") == []


def test_a_histogram_that_cannot_be_read_is_told() -> None:
    broken = msgspec.structs.replace(spread(1.0), hdr="rubbish")
    found = cut(run([interval(0, response={"deliver": broken})]), seed=1)

    with pytest.raises(SwarmError, match="cannot be read"):
        latencies(found, "deliver")


def test_deliveries_are_over_the_time_of_their_intervals() -> None:
    intervals = [interval(0, counts={"delivered": 30}), interval(1, for_s=2.0, counts={"delivered": 30})]

    assert value(delivered(cut(run(intervals), seed=1))) == pytest.approx(20)
    assert delivered(cut(run([]), seed=1)) is None


def test_the_server_s_cost_is_of_those_intervals_that_know_it() -> None:
    known = interval(0, counts={"delivered": 1000})
    unknown = interval(1, counts={"delivered": 5000}, server=None)

    found = cost(cut(run([known, unknown]), seed=1))

    assert value(found) == pytest.approx(400)


def test_without_the_server_s_use_or_a_delivery_there_is_no_cost() -> None:
    blind = [interval(second, server=None) for second in range(5)]
    idle = [interval(second, counts={}) for second in range(5)]

    assert cost(cut(run(blind), seed=1)) is None
    assert cost(cut(run(idle), seed=1)) is None
