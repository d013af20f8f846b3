"""Response counts from when it was due, service from when it was begun, and a warm-up is told apart."""

import pytest

from loadtest.histogram import Histogram, values
from loadtest.timings import MAX_OPERATIONS, WAY_IN, Timings

MS = 1_000_000


def longest_ms(*encoded: str) -> float:
    histogram = Histogram()
    for each in encoded:
        histogram.add(each)
    return histogram.percentile_ms(100)


async def test_response_counts_from_due_and_service_from_the_beginning() -> None:
    timings = Timings()
    timings["echo"].record(10 * MS, 40 * MS, 45 * MS)

    (batch,) = (await timings.take())["echo"]

    assert longest_ms(batch.response) == pytest.approx(35, rel=0.001)
    assert longest_ms(batch.service) == pytest.approx(5, rel=0.001)


async def test_what_was_due_before_the_load_is_warm_up() -> None:
    timings = Timings()
    echo = timings["echo"]
    timings.begin(100 * MS)
    echo.record(99 * MS, 100 * MS, 130 * MS)
    echo.record(100 * MS, 100 * MS, 107 * MS)

    load, warm_up = (await timings.take())["echo"]

    assert not load.warm_up
    assert warm_up.warm_up
    assert longest_ms(load.response) == pytest.approx(7, rel=0.001)
    assert longest_ms(warm_up.response) == pytest.approx(31, rel=0.001)


@pytest.mark.parametrize("operation", sorted(WAY_IN))
async def test_the_way_in_and_out_is_measured_also_outside_the_load(operation: str) -> None:
    timings = Timings()
    timings.begin(100 * MS)
    timings[operation].record(MS, MS, 2 * MS)

    (batch,) = (await timings.take())[operation]

    assert not batch.warm_up


async def test_each_thing_is_told_once() -> None:
    timings = Timings()
    timings["echo"].record(0, 0, MS)

    assert set(await timings.take()) == {"echo"}
    assert await timings.take() == {}


async def test_many_different_values_are_all_told() -> None:
    timings = Timings()
    for number in range(5000):
        timings["echo"].record(0, 0, number * 1_000)

    (batch,) = (await timings.take())["echo"]

    histogram = Histogram()
    histogram.add(batch.response)
    assert len(histogram) == 5000


async def test_what_is_gathered_meanwhile_is_told_too() -> None:
    timings = Timings()
    for due_ns in (0, MS):
        timings["echo"].record(due_ns, due_ns, 5 * MS)
        timings.gather()

    (batch,) = (await timings.take())["echo"]

    assert [count for _, count in values(batch.response)] == [1, 1]


async def test_there_is_a_bound_to_operations() -> None:
    timings = Timings()
    for number in range(MAX_OPERATIONS):
        timings[f"operation {number}"].record(0, 0, MS)

    with pytest.raises(ValueError, match="operations"):
        timings["one more"]
