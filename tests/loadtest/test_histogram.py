"""Latencies go in as microseconds and come out as milliseconds."""

import pytest

from loadtest.histogram import HIGHEST_US, Histogram


def test_nothing_recorded_has_no_percentiles() -> None:
    assert Histogram().percentiles() == ()
    assert len(Histogram()) == 0


def test_percentiles_are_those_of_what_was_recorded() -> None:
    histogram = Histogram()

    for microseconds in range(1, 100_001):
        histogram.record(microseconds)

    p50, p90, p99, p999, most = histogram.percentiles()
    assert (p50, p90, p99, p999) == pytest.approx((50, 90, 99, 99.9), rel=0.002)
    assert most == pytest.approx(100, rel=0.002)
    assert len(histogram) == 100_000


@pytest.mark.parametrize(("recorded", "shown"), [(-5, 0), (0, 0), (HIGHEST_US * 10, HIGHEST_US / 1000)])
def test_what_is_out_of_range_counts_as_its_edge(recorded: int, shown: float) -> None:
    histogram = Histogram()

    histogram.record(recorded)

    assert histogram.percentiles() == pytest.approx((shown,) * 5, rel=0.002)


def test_reading_in_between_loses_nothing() -> None:
    histogram = Histogram()
    histogram.record(1000)
    histogram.percentiles()

    histogram.record(3000)

    assert len(histogram) == 2
    assert histogram.percentiles()[-1] == pytest.approx(3, rel=0.002)
