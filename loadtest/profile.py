"""How many players there are at each moment of a run, and so when each of them comes and goes.

Pure. Times are seconds since the run's begin. The run is its ramp, its warm-up and its load; players are
numbered from 0, the lowest stay longest. The schedule is open: it does not depend on the server.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from loadtest.plan import Plan

AWAY_S = 1.0
"""How long a player of a soak stays away before they come back."""
Stay = tuple[float, float]
"""When a player is due to come, and to leave."""


@dataclass(frozen=True, slots=True)
class Course:
    """The parts of a run."""

    measured_from_s: float
    until_s: float
    marks: tuple[tuple[float, str], ...]


def course(plan: Plan) -> Course:
    """When what begins. Where the crowd's changes are the load, all of it is measured."""
    until = plan.ramp_s + plan.warm_up_s + plan.duration_s
    shape, marks = plan.profile.shape, []
    if shape in ("constant", "soak"):
        from_s = plan.ramp_s + plan.warm_up_s
        marks.append((from_s, "measured from here"))
    else:
        from_s = 0.0
    if shape == "step":
        length = until / plan.profile.steps
        sizes = [_step(plan, step) for step in range(plan.profile.steps)]
        marks += [(step * length, f"{size} players") for step, size in enumerate(sizes)]
    elif shape == "spike":
        up, down = _spike(plan, until)
        marks += [(up, f"spike to {plan.players} players"), (down, "spike ends")]
    elif shape == "sawtooth":
        marks += [(at, "players leave") for at, _ in _teeth(plan, until)[1:]]
    return Course(from_s, until, tuple(marks))


def stays(plan: Plan, player: int) -> Iterator[Stay]:
    """When this player is there, in order."""
    until = plan.ramp_s + plan.warm_up_s + plan.duration_s
    share = player / plan.players
    base = round(plan.profile.base * plan.players)
    match plan.profile.shape:
        case "constant":
            yield share * plan.ramp_s, until
        case "ramp":
            yield share * until, until
        case "step":
            yield _step_stay(plan, player, until)
        case "spike":
            if player < base:
                yield plan.ramp_s * player / max(base, 1), until
            else:
                up, down = _spike(plan, until)
                rise = min(plan.ramp_s, down - up)
                yield up + rise * (player - base) / max(plan.players - base, 1), down
        case "sawtooth":
            if player < base:
                yield plan.ramp_s * player / max(base, 1), until
            else:
                place = (player - base) / max(plan.players - base, 1)
                yield from ((at + place * (end - at), end) for at, end in _teeth(plan, until))
        case "soak":
            yield from _soak(plan, player, until)


def _step(plan: Plan, step: int) -> int:
    """How many players there are in this step."""
    return round(plan.players * (step + 1) / plan.profile.steps)


def _step_stay(plan: Plan, player: int, until: float) -> Stay:
    length = until / plan.profile.steps
    step = next(step for step in range(plan.profile.steps) if player < _step(plan, step))
    before = _step(plan, step - 1) if step else 0
    rise = min(plan.ramp_s, length)
    return step * length + rise * (player - before) / (_step(plan, step) - before), until


def _spike(plan: Plan, until: float) -> Stay:
    up = max((until - plan.profile.period_s) / 2, 0)
    return up, min(up + plan.profile.period_s, until)


def _teeth(plan: Plan, until: float) -> list[Stay]:
    period = plan.profile.period_s
    count = max(int(until / period + 1e-9), 1)  # not one less by rounding
    return [(tooth * period, min((tooth + 1) * period, until)) for tooth in range(count)]


def _soak(plan: Plan, player: int, until: float) -> Iterator[Stay]:
    """Everybody in turn, `churn_per_s` of them a second, is away for a moment."""
    churn = plan.profile.churn_per_s
    begin = plan.ramp_s * player / plan.players
    turn = plan.ramp_s + plan.warm_up_s + (player + 1) / churn if churn else until
    while turn + AWAY_S < until:
        yield begin, turn
        begin = turn + AWAY_S
        turn += max(plan.players / churn, 2 * AWAY_S)
    yield begin, until
