"""Times on the wire."""

import pytest

from server.web.timestamps import rfc3339, rfc3339_exact


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_800_000_000, "2027-01-15T08:00:00Z"),
        (4_102_444_799, "2099-12-31T23:59:59Z"),
    ],
)
def test_whole_seconds_are_told_in_utc_without_a_fraction(seconds: int, text: str) -> None:
    assert rfc3339(seconds) == text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_800_000_000_000_000, "2027-01-15T08:00:00Z"),
        (1_800_000_000_000_001, "2027-01-15T08:00:00.000001Z"),
        (1_800_000_000_500_000, "2027-01-15T08:00:00.500000Z"),
    ],
)
def test_microseconds_are_told_as_they_are(microseconds: int, text: str) -> None:
    assert rfc3339_exact(microseconds) == text
