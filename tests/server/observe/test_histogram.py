"""Counts by bucket."""

import pytest

from server.observe.histogram import Histogram


def test_a_value_is_counted_in_its_bucket_and_in_all_above_it() -> None:
    seen = Histogram((1.0, 2.0))

    for value in (0.5, 1.0, 1.5, 7.0):
        seen.observe(value)

    assert seen.cumulative() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert seen.count == 4
    assert seen.total == pytest.approx(10.0)
