"""Intervals get longer as the run does, and their sums stay what they were."""

import pytest

from loadtest.result import Interval, OwnUse, ServerUse
from loadtest.timeline import Timeline, joined, server_joined
from tests.support.swarm_results import interval


def line(most: int, intervals: int) -> list[Interval]:
    timeline = Timeline(most)
    for second in range(intervals):
        timeline.append(interval(second, deliveries=(second + 1.0,)))
    return timeline.intervals()


@pytest.mark.parametrize(
    ("intervals", "lengths"),
    [
        (0, []),
        (3, [1, 1, 1]),
        (4, [2, 2]),
        (5, [2, 2, 1]),
        (7, [2, 2, 2, 1]),
        (8, [4, 4]),
        (9, [4, 5]),
        (10, [4, 4, 2]),
        (33, [16, 17]),
    ],
)
def test_too_many_become_half_as_many(intervals: int, lengths: list[float]) -> None:
    found = line(4, intervals)

    assert [each.for_s for each in found] == lengths
    assert [each.at_s for each in found] == [sum(lengths[:at]) for at in range(len(lengths))]


@pytest.mark.parametrize("intervals", [3, 5, 8, 100])
def test_an_odd_bound_loses_none(intervals: int) -> None:
    found = line(3, intervals)

    assert len(found) <= 3
    assert sum(each.counts["sent"] for each in found) == 10 * intervals
    assert sum(each.response["deliver"].count for each in found) == intervals


def test_neighbours_as_one_tell_what_both_told() -> None:
    first = interval(
        0, deliveries=(1.0,), errors={"gone": 1}, own=OwnUse(cpu=0.1, lag_ms=9, slip_ms=1, gc_ms=4)
    )
    second = interval(1, deliveries=(3.0,), connected=7, own=OwnUse(cpu=0.3, lag_ms=2, slip_ms=5, gc_ms=3))

    both = joined(first, second)

    assert (both.at_s, both.for_s, both.connected) == (0, 2, 7)
    assert (both.counts, both.errors) == ({"sent": 20, "delivered": 2}, {"gone": 1})
    assert both.response["deliver"].max == pytest.approx(3, rel=0.001)
    assert both.own == OwnUse(cpu=0.3, lag_ms=9, slip_ms=5, gc_ms=4)


def test_an_operation_of_one_of_them_only_is_kept() -> None:
    both = joined(interval(0, response={}), interval(1, deliveries=(2.0,)))

    assert both.response["deliver"].count == 1


def test_what_a_server_used_weighs_as_long_as_it_lasted() -> None:
    short = ServerUse(cpu=1.0, rss_bytes=9, metrics={"a": 4.0})
    long = ServerUse(cpu=0.5, rss_bytes=5, metrics={"a": 8.0, "b": 1.0})

    both = server_joined([(short, 1), (long, 3), (None, 100)])

    assert both == ServerUse(cpu=0.625, rss_bytes=9, metrics={"a": 7.0, "b": 1.0})
    assert server_joined([(None, 1)]) is None
