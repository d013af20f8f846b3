"""What the plots show is what was measured: no point is made up, and none that was there is left out."""

import math
from random import Random
from typing import Any

import pytest

from loadtest.faces import courses
from loadtest.faces.courses import LEAST_MS, MAX_KINDS, OTHERS, TimeUnit
from loadtest.result import Interval, Result, ServerUse, Spread
from tests.support.swarm_results import interval, result, spread


def of_seconds(*intervals: Interval) -> Result:
    return result(intervals=list(intervals))


def bare(second: int, **more: Any) -> Interval:
    members: dict[str, Any] = {"counts": {}, "response": {}, **more}
    return interval(second, **members)


def metrics(**told: float) -> ServerUse:
    return ServerUse(cpu=0.1, rss_bytes=1, metrics=told)


@pytest.mark.parametrize(
    ("ends_s", "unit"),
    [(1200, "s"), (1201, "min"), (14_400, "min"), (14_401, "h")],
)
def test_time_is_told_in_a_unit_that_fits_the_run(ends_s: int, unit: str) -> None:
    assert courses.time_unit(of_seconds(bare(0), bare(ends_s - 1))).name == unit


def test_intervals_are_placed_by_their_middle_and_what_holds_at_their_end_by_that() -> None:
    found = of_seconds(bare(0), interval(60, for_s=30.0))
    minutes = TimeUnit("min", 60.0)

    assert courses.middles(found, minutes) == [round(0.5 / 60, 6), 1.25]
    assert courses.ends(found, minutes) == [round(1 / 60, 6), 1.5]


def test_an_interval_without_answers_is_a_gap_and_no_zero() -> None:
    found = of_seconds(interval(0, (1.5, 1.6)), bare(1), interval(2, (2.0,)), interval(3, (0.0,)))

    assert courses.latency(found, "deliver", lambda each: each.max) == [1.6, None, 2.0, LEAST_MS]


def test_a_rate_is_by_the_second_and_nothing_where_nothing_is_ever_counted() -> None:
    found = of_seconds(
        interval(0, counts={"sent": 10}), interval(1, counts={}, for_s=0.5), bare(2, for_s=0.0)
    )

    assert courses.rate(found, "sent") == [10.0, 0.0, None]
    assert courses.rate(found, "matched") == [None, None, None]


def test_rare_errors_are_told_together_and_none_is_lost() -> None:
    many = {f"kind {number}": number for number in range(1, MAX_KINDS + 4)}
    found = courses.errors(of_seconds(bare(0, errors=many), bare(1, errors={"kind 1": 5}), bare(2)))

    assert len(found) == MAX_KINDS + 1
    assert next(iter(found)) == f"kind {MAX_KINDS + 3}"
    assert list(found)[-1] == OTHERS
    assert sum(course[0] or 0 for course in found.values()) == sum(many.values())
    assert sum(course[1] or 0 for course in found.values()) == 5
    assert all(course[2] == 0 for course in found.values())


def test_metrics_are_chosen_by_whole_words_and_a_percentile_of_nothing_is_a_gap() -> None:
    found = of_seconds(
        bare(0, server=metrics(a_lag_seconds_p99=0.002, a_flag_seconds=1.0, b_dropped_per_s=3.0)),
        bare(1, server=metrics(other=1.0)),
        bare(2, server=None),
    )

    assert courses.late_metrics(found) == {"a_lag_seconds_p99": [2.0, None, None]}
    assert courses.trouble_metrics(found) == {"b_dropped_per_s": [3.0, 0.0, None]}


def test_the_most_telling_metrics_come_first_and_no_more_than_fit() -> None:
    names = ["x_duration_seconds", "x_pause_seconds", "x_lateness_seconds", "x_lag_seconds", "y_lag_seconds"]
    found = courses.late_metrics(of_seconds(bare(0, server=metrics(**dict.fromkeys(names, 1.0)))))

    assert list(found) == ["x_lag_seconds", "y_lag_seconds", "x_lateness_seconds", "x_pause_seconds"]


def test_a_curve_has_at_each_percentile_the_least_value_that_so_many_do_not_exceed() -> None:
    random = Random(1)
    recorded = sorted(round(random.lognormvariate(1, 1), 3) for _ in range(5_000))

    curve = courses.curve(spread(*recorded))

    assert (curve[0].x, curve[-1].x, curve[-1].percent) == (1.0, 5_000.0, 100.0)
    assert curve[-1].ms == pytest.approx(recorded[-1], rel=0.001)
    assert [each.x for each in curve] == sorted(each.x for each in curve)
    for point in curve[:-1]:
        rank = max(math.ceil((1 - 1 / point.x) * len(recorded) - 1e-3), 1)
        assert point.ms == pytest.approx(recorded[rank - 1], rel=0.001, abs=0.001)


def test_a_curve_of_one_value_is_one_point_and_of_none_or_nonsense_none() -> None:
    unreadable = Spread(count=3, mean=1, p50=1, p90=1, p99=1, p999=1, max=1, hdr="nonsense")

    assert {point.ms for point in courses.curve(spread(1.5))} == {1.5}
    assert courses.curve(spread()) == []
    assert courses.curve(unreadable) == []


@pytest.mark.parametrize(
    ("least", "most", "found"),
    [
        (0.3, 40, [0.2, 0.5, 1, 2, 5, 10, 20, 50]),
        (1, 1, [1, 2]),
        (0.001, 900, [0.001, 0.01, 0.1, 1, 10, 100, 1000]),
        (2, 5, [2, 5]),
    ],
)
def test_ticks_are_round_and_reach_around_what_is_shown(
    least: float, most: float, found: list[float]
) -> None:
    assert courses.ticks(least, most) == found


@pytest.mark.parametrize(
    ("course", "gaps"),
    [
        ([1.0, 2.0], False),
        ([None, 1.0, None], True),
        ([1.0, None, 2.0, 3.0], True),
        ([], False),
        ([1.0], True),
    ],
)
def test_a_value_that_stands_alone_is_known(course: courses.Values, gaps: bool) -> None:
    assert courses.has_gaps(course) is gaps
