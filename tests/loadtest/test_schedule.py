"""The open schedule, with a clock in hand."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loadtest.schedule import NS, Schedule


def test_acts_are_spread_evenly_over_time() -> None:
    schedule = Schedule(players=4, per_second=5, start_ns=1000, seed=1)

    times = [intended for _, intended in schedule.due(1000 + NS)]

    assert times == [1000 + 50_000_000 * act for act in range(21)]


def test_each_player_acts_once_in_a_round() -> None:
    schedule = Schedule(players=5, per_second=1, start_ns=0, seed=7)

    players = [player for player, _ in schedule.due(3 * NS - 1)]

    assert Counter(players) == dict.fromkeys(range(5), 3)
    assert players[:5] == players[5:10] == players[10:]


def test_nothing_is_due_before_its_time_or_twice() -> None:
    schedule = Schedule(players=1, per_second=10, start_ns=NS, seed=1)

    assert list(schedule.due(NS - 1)) == []
    assert list(schedule.due(NS)) == [(0, NS)]
    assert list(schedule.due(NS)) == []
    assert schedule.next_ns() == NS + NS // 10


def test_what_was_missed_in_a_stall_is_done_late_with_its_own_time() -> None:
    schedule = Schedule(players=2, per_second=10, start_ns=0, seed=1)
    list(schedule.due(0))

    late = [intended for _, intended in schedule.due(5 * NS)]

    assert len(late) == 100
    assert late[0] == NS // 20
    assert late[-1] == 5 * NS


def test_a_seed_repeats_an_order() -> None:
    orders = [[player for player, _ in Schedule(50, 1, 0, seed).due(NS - 1)] for seed in (3, 3, 4)]

    assert orders[0] == orders[1] != orders[2]


@given(st.integers(1, 50), st.floats(0.1, 100), st.lists(st.integers(0, NS // 10), max_size=20))
def test_however_often_one_looks_the_same_acts_come(players: int, rate: float, steps: list[int]) -> None:
    often, once = (Schedule(players, rate, 0, seed=1) for _ in range(2))

    now, taken = 0, list[tuple[int, int]]()
    for step in steps:
        now += step
        taken.extend(often.due(now))

    assert taken == (list(once.due(now)) if steps else [])
