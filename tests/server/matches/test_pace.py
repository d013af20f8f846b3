"""Deadlines of ticks: kept, made up for, missed, and too often missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.matches.pace import MAX_SHARE, Pace, Patience


def run(pace: Pace, *, for_s: float, spending: float, from_s: float = 0.0) -> list[float]:
    """When each tick began, if the loop has nothing else to do."""
    now, begun = from_s, []
    while max(now, pace.due) < from_s + for_s:
        now = max(now, pace.due)
        begun.append(now)
        pace.ticked(now, now + spending)
        now += spending
    return begun


@pytest.mark.parametrize("rate", [1, 7, 60])
def test_ticks_keep_to_their_grid_for_ever(rate: int) -> None:
    pace = Pace(rate, 100.0, Patience())

    begun = run(pace, for_s=1000, spending=0.3 / rate, from_s=100.0)

    assert len(begun) in (1000 * rate, 1000 * rate + 1)  # the last may round to either side
    assert begun[-1] == pytest.approx(100.0 + (len(begun) - 1) / rate, abs=1e-6)
    assert (pace.lost, pace.slow) == (0, False)


def test_a_late_tick_is_told_and_made_up_for() -> None:
    pace = Pace(10, 0.0, Patience(catch_up=3))

    assert pace.ticked(0.25, 0.25) == pytest.approx(0.25)

    begun = run(pace, for_s=0.5, spending=0.0, from_s=0.25)
    assert begun == pytest.approx([0.25, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert pace.lost == 0


def test_what_was_missed_long_ago_is_not_made_up_for() -> None:
    pace = Pace(10, 0.0, Patience(catch_up=3))

    pace.ticked(0.0, 0.0)
    pace.ticked(5.0, 5.0)  # the loop was away; ticks 2 to 49 should have been

    at_once = [each for each in run(pace, for_s=0.05, spending=0.0, from_s=5.0) if each == 5.0]
    assert len(at_once) == 4  # three that were missed, and the one that is due now
    assert pace.lost == 45


def test_a_match_that_takes_too_long_gets_its_share_and_no_more() -> None:
    pace = Pace(20, 0.0, Patience())

    begun = run(pace, for_s=10, spending=0.2)

    assert len(begun) * 0.2 <= 10 * MAX_SHARE + 0.2
    assert pace.slow
    assert pace.lost > 100


def test_it_is_given_up_only_when_that_goes_on() -> None:
    pace = Pace(20, 0.0, Patience(overload_s=2))
    run(pace, for_s=1.9, spending=0.1)
    assert not pace.hopeless(1.9)

    pace.ticked(1.9, 1.91)  # one good tick
    assert not pace.slow
    run(pace, for_s=3, spending=0.1, from_s=2.0)

    assert pace.hopeless(5.0)


@given(
    rate=st.integers(1, 60),
    spent=st.lists(st.floats(0, 0.5), min_size=1, max_size=40),
    delays=st.lists(st.floats(0, 3), min_size=1, max_size=40),
)
def test_no_tick_is_due_before_the_last_one_was(rate: int, spent: list[float], delays: list[float]) -> None:
    pace, now = Pace(rate, 0.0, Patience()), 0.0

    for spending, delay in zip(spent, delays, strict=False):
        due = pace.due
        began = max(now, due) + delay
        assert pace.ticked(began, began + spending) == pytest.approx(began - due)
        now = began + spending
        assert pace.due >= began
        # Never more owed than may be made up for, and the tick that is due now.
        assert now - pace.due <= (Patience().catch_up + 2) / rate
