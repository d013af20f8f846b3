"""What came before and after the load does not count."""

import pytest

from loadtest.measured import measured, rate
from tests.support.swarm_results import interval, result


def test_intervals_of_ramp_warm_up_and_leaving_are_passed_over() -> None:
    found = result(measured_from_s=3.0, measured_s=2.0, intervals=[interval(second) for second in range(7)])

    assert [each.at_s for each in measured(found)] == [3.0, 4.0]


def test_an_interval_on_the_edge_goes_to_the_side_that_has_its_middle() -> None:
    found = result(
        measured_from_s=0.8, measured_s=1.6, intervals=[interval(0), interval(1), interval(2), interval(3)]
    )

    assert [each.at_s for each in measured(found)] == [1.0]


def test_an_interval_without_length_tells_nothing() -> None:
    assert measured(result(intervals=[interval(1, for_s=0.0)])) == []


def test_a_rate_is_over_the_seconds_of_the_intervals() -> None:
    intervals = [
        interval(0, counts={"delivered": 30}),
        interval(1, counts={}),
        interval(2, for_s=2.0, counts={"delivered": 10}),
    ]

    assert rate(intervals, "delivered") == pytest.approx(10)


def test_what_nobody_counted_has_no_rate() -> None:
    assert rate([interval(0, counts={"sent": 1})], "delivered") is None
    assert rate([], "delivered") is None
