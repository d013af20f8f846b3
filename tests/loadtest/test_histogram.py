"""Latencies go in as microseconds and come out as milliseconds."""

from random import Random

import pytest
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it ships no types

from loadtest.histogram import HIGHEST_US, PERCENTILES, Histogram, values


def filled(*microseconds: int) -> Histogram:
    histogram = Histogram()
    for each in microseconds:
        histogram.record(each)
    return histogram


def test_nothing_recorded_has_an_empty_spread() -> None:
    spread = Histogram().spread()

    assert (spread.count, spread.p50, spread.max, spread.hdr) == (0, 0, 0, "")
    assert Histogram().take() == ""


def test_figures_are_those_of_what_was_recorded() -> None:
    spread = filled(*range(1, 100_001)).spread()

    assert (spread.p50, spread.p90, spread.p99, spread.p999) == pytest.approx((50, 90, 99, 99.9), rel=0.001)
    assert (spread.mean, spread.max) == pytest.approx((50, 100), rel=0.001)
    assert spread.count == 100_000


@pytest.mark.parametrize("microseconds", [999, 9_999, 99_999, 999_999, 2_345_678])
def test_a_value_is_kept_to_a_thousandth(microseconds: int) -> None:
    histogram = filled(microseconds)

    assert histogram.percentile_ms(50) == pytest.approx(microseconds / 1000, rel=0.001)


@pytest.mark.parametrize(("recorded", "shown"), [(-5, 0), (0, 0), (HIGHEST_US * 10, HIGHEST_US / 1000)])
def test_what_is_out_of_range_counts_as_its_edge(recorded: int, shown: float) -> None:
    assert filled(recorded).spread().max == pytest.approx(shown, rel=0.001)


@pytest.mark.parametrize("most", [None, 1, 7, 10_000])
def test_values_are_entered_as_the_library_enters_them(most: int | None) -> None:
    random = Random(1)
    recorded = [round(2 ** random.uniform(0, 31.7)) for _ in range(2_000)]
    recorded += [0, 1, 2046, 2047, 2048, 2049, 4095, 4096, 4097, HIGHEST_US - 1, HIGHEST_US]
    entered, reference = filled(*recorded, 5, 5), HdrHistogram(1, HIGHEST_US, 3)
    for value in (*recorded, 5, 5):
        reference.record_value(value)

    while not entered.settle(most):
        assert len(entered) == len(recorded) + 2

    assert entered.spread().max == reference.get_max_value() / 1000
    assert HdrHistogram.decode(entered.take().encode()).get_min_value() == reference.get_min_value()
    assert filled(*recorded, 5, 5).take().encode() == reference.encode()


def test_what_is_gathered_meanwhile_is_not_lost() -> None:
    histogram = filled(1, 1, 2)
    histogram.gather()
    histogram.record(1)
    histogram.gather()
    histogram.record(3)

    assert len(histogram) == 5
    assert values(histogram.take()) == [(1, 3), (2, 1), (3, 1)]


def test_reading_in_between_loses_nothing() -> None:
    histogram = filled(1000)
    histogram.spread()

    histogram.record(3000)

    assert len(histogram) == 2
    assert histogram.spread().max == pytest.approx(3, rel=0.001)


def test_what_two_workers_took_adds_up_to_what_one_would_have_recorded() -> None:
    total = Histogram()

    for part in (filled(*range(0, 50_000, 7)), filled(*range(50_000, 900_000, 13))):
        total.add(part.take())

    assert total.spread() == filled(*range(0, 50_000, 7), *range(50_000, 900_000, 13)).spread()


def test_taking_begins_anew() -> None:
    histogram = filled(10)

    first = histogram.take()

    assert values(first) == [(10, 1)]
    assert len(histogram) == 0
    assert histogram.take() == ""


def test_an_encoded_histogram_gives_its_values_back() -> None:
    assert values(filled(5, 5, 700).spread().hdr) == [(5, 2), (700, 1)]
    assert values("") == []


def test_values_are_those_that_were_recorded_to_a_thousandth() -> None:
    recorded = [round(1.01**power) for power in range(2210)]

    told = values(filled(*recorded).spread().hdr)

    assert [value for value, count in told for _ in range(count)] == pytest.approx(
        sorted(recorded), rel=0.001
    )


def test_a_histogram_of_another_precision_is_refused() -> None:
    coarse = "HISTFAAAACN4nJNpmSzMwMDAzAABTFCaEURcm7yEwf4DROAzKxMAYaQFgw=="

    with pytest.raises(ValueError, match="another precision"):
        values(coarse)


@pytest.mark.parametrize("text", ["x", "HISTFAAA", "HISTFAAAACl4nJNpmSzM"])
def test_what_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no histogram"):
        values(text)
    with pytest.raises(ValueError, match="no histogram"):
        Histogram().add(text)


def test_the_figures_are_those_of_the_library() -> None:
    histogram = Histogram()
    for value in (0, 1, 7, 1023, 2047, 2048, 2049, 50_000, 50_001, 3_333_333, 2 * HIGHEST_US):
        histogram.record(value)

    spread = histogram.spread()

    reference = HdrHistogram.decode(spread.hdr.encode())
    assert spread.mean * 1000 == pytest.approx(reference.get_mean_value())
    assert [spread.p50, spread.p90, spread.p99, spread.p999] == [
        reference.get_value_at_percentile(percent) / 1000 for percent in PERCENTILES[:-1]
    ]
    assert spread.max == reference.get_max_value() / 1000 == histogram.percentiles()[-1]
