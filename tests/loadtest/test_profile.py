"""Who is there when: each shape as it is drawn, and what is true of all of them."""

from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.plan import Plan, Profile
from loadtest.profile import AWAY_S, Stay, course, stays

SHAPES = get_args(get_type_hints(Profile)["shape"])


def plan(players: int = 10, shape: str = "constant", **more: Any) -> Plan:
    profile = {name: more.pop(name) for name in ("base", "steps", "period_s", "churn_per_s") if name in more}
    lengths = {"ramp_s": 2.0, "warm_up_s": 1.0, "duration_s": 27.0, **more}
    return Plan(players=players, profile=Profile(shape=shape, **profile), **lengths)  # type: ignore[arg-type]  # a literal


def all_stays(of: Plan) -> list[list[Stay]]:
    return [list(stays(of, player)) for player in range(of.players)]


def there(of: Plan, at_s: float) -> int:
    """How many players are there."""
    return sum(any(begin <= at_s < end for begin, end in own) for own in all_stays(of))


def test_constant_players_come_evenly_and_stay() -> None:
    of = plan()

    assert [begin for ((begin, _),) in all_stays(of)] == pytest.approx([0.2 * place for place in range(10)])
    assert {end for ((_, end),) in all_stays(of)} == {30.0}
    assert course(of).measured_from_s == 3.0
    assert course(of).until_s == 30.0


def test_a_ramp_rises_until_the_end() -> None:
    of = plan(30, "ramp")

    assert [there(of, at) for at in (0, 10.5, 20.5, 29.5)] == [1, 11, 21, 30]
    assert course(of).measured_from_s == 0


def test_steps_are_of_the_same_height_and_length() -> None:
    of = plan(30, "step", steps=3)

    assert [there(of, at) for at in (9.9, 12.1, 19.9, 22.1, 29.9)] == [10, 20, 20, 30, 30]
    assert course(of).marks == ((0.0, "10 players"), (10.0, "20 players"), (20.0, "30 players"))


def test_a_spike_stands_in_the_middle() -> None:
    of = plan(10, "spike", base=0.3, period_s=10)

    assert [there(of, at) for at in (5, 9.9, 12.1, 19.9, 20.1, 29)] == [3, 3, 10, 10, 3, 3]


def test_each_tooth_rises_and_falls_at_once() -> None:
    of = plan(10, "sawtooth", base=0.2, period_s=10)

    assert [there(of, at) for at in (9.9, 10.1, 14.9, 19.9, 20.1, 29.9)] == [10, 3, 6, 10, 3, 10]


def test_in_a_soak_everybody_is_away_in_turn() -> None:
    of = plan(10, "soak", churn_per_s=1)

    assert [there(of, 4.5 + second) for second in range(3)] == [9, 9, 9]
    first, *_ = all_stays(of)
    assert [begin for begin, _ in first] == pytest.approx([0, 4 + AWAY_S, 14 + AWAY_S, 24 + AWAY_S])


def test_a_soak_without_churn_is_constant() -> None:
    assert all_stays(plan(4, "soak", churn_per_s=0)) == all_stays(plan(4))


PLANS = st.builds(
    plan,
    players=st.integers(1, 60),
    shape=st.sampled_from(SHAPES),
    base=st.floats(0, 1),
    steps=st.integers(1, 20),
    period_s=st.floats(0.1, 100),
    churn_per_s=st.floats(0, 50),
    ramp_s=st.floats(0, 30),
    warm_up_s=st.floats(0, 5),
    duration_s=st.floats(0.1, 60),
)


@settings(max_examples=150, deadline=None)
@given(PLANS)
def test_every_stay_lies_in_the_run_behind_the_one_before(of: Plan) -> None:
    for own in all_stays(of):
        times = [at for stay in own for at in stay]
        assert times == sorted(times)
        assert all(begin >= 0 and end <= course(of).until_s for begin, end in own)


@settings(max_examples=150, deadline=None)
@given(PLANS)
def test_marks_are_in_order_and_in_the_run(of: Plan) -> None:
    marks = [at for at, _ in course(of).marks]

    assert marks == sorted(marks)
    assert all(0 <= at <= course(of).until_s for at in marks)
    assert 0 <= course(of).measured_from_s <= course(of).until_s


def test_teeth_that_fit_exactly_are_not_lost_to_rounding() -> None:
    sawn = Plan(ramp_s=0, warm_up_s=0, duration_s=3.3, profile=Profile(shape="sawtooth", period_s=1.1))

    assert len(course(sawn).marks) == 2
    assert len(list(stays(sawn, 99))) == 3
