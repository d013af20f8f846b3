"""Figures as people read them."""

import pytest

from loadtest.faces.figures import clock, in_order, many, memory, ms, percent, plain


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.00"),
        (0.123, "0.12"),
        (9.996, "10.0"),
        (45.06, "45.1"),
        (99.96, "100"),
        (1234.4, "1234"),
        (99_999, "99999"),
        (360_000, "360s"),
    ],
)
def test_milliseconds_have_three_digits(value: float, shown: str) -> None:
    assert ms(value) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (9999, "9999"),
        (10_000, "10.0k"),
        (45_049, "45.0k"),
        (999_499, "999k"),
        (999_600, "1.00M"),
        (1_200_000, "1.20M"),
        (3e12, "3.00T"),
        (3e15, "3000T"),
    ],
)
def test_large_numbers_are_short(number: float, shown: str) -> None:
    assert many(number) == shown


def test_bytes_shares_and_times_have_their_units() -> None:
    assert (memory(93 * 2**20), memory(12.3 * 2**30)) == ("93 MiB", "12.3 GiB")
    assert (percent(0.614), percent(1.5)) == ("61 %", "150 %")
    assert (clock(5.9), clock(754), clock(6000)) == ("0:05", "12:34", "100:00")


def test_what_a_server_tells_cannot_command_a_terminal() -> None:
    assert plain("gone\x1b[31m\x07\nred\x9b", 80) == "gone [31m  red "


def test_long_text_is_cut_where_that_can_be_seen() -> None:
    assert plain("abcdef", 6) == "abcdef"
    assert plain("abcdefg", 6) == "abcde…"


def test_operations_come_as_in_a_players_life() -> None:
    names = {"leave", "deliver", "own thing", "bridge", "sign_in"}

    assert in_order(names) == ["sign_in", "bridge", "deliver", "leave", "own thing"]
