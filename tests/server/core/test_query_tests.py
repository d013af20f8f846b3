"""What clauses ask of values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.pattern import MAX_TEXT
from server.core.query_tests import Day, Equal, Fuzzy, Range, parse_time


def distance(one: str, other: str) -> int:
    rows = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        above, rows = rows, [number]
        for column, wanted in enumerate(other, 1):
            rows.append(min(above[column] + 1, rows[-1] + 1, above[column - 1] + (char != wanted)))
    return rows[-1]


@given(st.text("abc", max_size=8), st.text("abc", max_size=8), st.integers(0, 2))
def test_fuzzy_is_the_edit_distance(wanted: str, value: str, edits: int) -> None:
    assert Fuzzy(wanted, edits).accepts(value) == (distance(wanted, value) <= edits)


def test_fuzzy_takes_long_texts_as_they_are() -> None:
    long = "a" * (MAX_TEXT + 1)

    assert Fuzzy(long, 2).accepts(long)
    assert not Fuzzy(long, 2).accepts(long[:-1] + "b")
    assert not Fuzzy("3", 2).accepts(3.0)


def test_equal_compares_texts_with_texts_and_numbers_with_numbers() -> None:
    assert Equal("5.0", 5.0).accepts(5)
    assert Equal("5.0", 5.0).accepts("5.0")
    assert not Equal("5.0", 5.0).accepts("5")
    assert not Equal("5").accepts(5)


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        (Range(5, above=True, inclusive=True), {5.0, 6.0, float("inf")}),
        (Range(5, above=True, inclusive=False), {6.0, float("inf")}),
        (Range(5, above=False, inclusive=True), {4.0, 5.0, float("-inf")}),
        (Range(5, above=False, inclusive=False), {4.0, float("-inf")}),
    ],
)
def test_a_range_takes_numbers_on_its_side(bounds: Range, inside: set[float]) -> None:
    numbers = {4.0, 5.0, 6.0, float("inf"), float("-inf"), float("nan")}

    assert {number for number in numbers if bounds.accepts(number)} == inside
    assert not bounds.accepts("5")


def test_a_day_is_compared_as_a_time() -> None:
    since = Day(Range(parse_time("2024-01-01") or 0, above=True, inclusive=True))

    assert since.accepts("2024-01-01T00:00:00Z")
    assert since.accepts("2024-06-01 12:00")
    assert not since.accepts("2024-01-01T00:30:00+01:00")
    assert not since.accepts("soon")
    assert not since.accepts(2e9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-13-01", None),
        ("1970-01-01T25:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("1970-01-01T00:00:00+99:00", None),
        ("1970-1-1", None),
        ("", None),
    ],
)
def test_dates_are_read(text: str, seconds: float | None) -> None:
    assert parse_time(text) == seconds
