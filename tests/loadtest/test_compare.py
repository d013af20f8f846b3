"""A change is told when it is more than the runs' own variation, and only then."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from loadtest.compare import Comparison, Row, compare, text
from loadtest.result import Result, ServerUse
from tests.support.swarm_results import honesty, interval, result, spread, timing

BASE = result()


def run(
    seed: int = 1,
    seconds: int = 20,
    scale: float = 1.0,
    noise: float = 0.02,
    delivered: float = 1000,
    each: int = 150,
    **more: Any,
) -> Result:
    """Seconds of deliveries around 3 ms, each second a little slower or faster than the others."""
    random = Random(seed)
    intervals = []
    for second in range(seconds):
        level = scale * random.lognormvariate(0, noise)
        response = {"deliver": spread(*(level * random.lognormvariate(1.1, 0.3) for _ in range(each)))}
        counts = {"delivered": round(delivered * random.lognormvariate(0, noise))}
        server = ServerUse(cpu=0.4 * scale * random.lognormvariate(0, noise), rss_bytes=1)
        intervals.append(interval(second, response=response, counts=counts, server=server))
    return msgspec.structs.replace(
        BASE, intervals=intervals, measured_s=float(seconds), timings={"deliver": timing(3)}, **more
    )


A = run(seed=1)
ALL = ["delivered", "deliver p50", "deliver p99", "deliver mean", "server CPU per delivery"]


def rows(comparison: Comparison) -> dict[str, Row]:
    return {row.metric: row for row in comparison.rows}


def is_claimed(row: Row) -> bool:
    return row.change in ("better", "worse")


def test_a_run_is_not_different_from_itself() -> None:
    found = compare(A, A)

    assert [row.metric for row in found.rows] == ALL
    assert [(row.change, row.difference, row.ratio) for row in found.rows] == [("none", 0, 1)] * len(ALL)
    assert all(row.low is not None and row.high is not None and row.low < 1 < row.high for row in found.rows)
    assert found.warnings == []


def test_another_run_of_the_same_is_not_different() -> None:
    found = rows(compare(A, run(seed=2)))

    assert not any(is_claimed(row) for row in found.values())


def test_a_tenth_slower_is_told_by_how_much() -> None:
    found = rows(compare(run(seed=1, each=600), run(seed=2, each=600, scale=1.1)))

    slower = [found[name] for name in ALL if name != "delivered"]
    assert {row.change for row in slower} == {"worse"}
    assert all(row.low is not None and row.high is not None for row in slower)
    assert all((row.low or 0) < 1.1 < (row.high or 0) for row in slower)
    assert found["delivered"].change == "none"


def test_faster_is_better_and_fewer_deliveries_are_worse() -> None:
    found = rows(compare(A, run(seed=2, scale=0.8, delivered=800)))

    assert found["deliver p50"].change == "better"
    assert found["delivered"].change == "worse"
    assert found["delivered"].difference == pytest.approx(-200, abs=20)
    assert rows(compare(run(seed=2, delivered=800), A))["delivered"].change == "better"


def test_a_tenth_slower_is_not_told_of_runs_that_vary_by_half() -> None:
    found = rows(compare(run(seed=3, noise=0.5), run(seed=4, noise=0.5, scale=1.1)))

    assert found["deliver mean"].change == "none"


def test_among_many_pairs_of_alike_runs_few_look_changed() -> None:
    runs = [run(seed, seconds=8, noise=0.1, each=30) for seed in range(40)]

    changed = [
        is_claimed(row)
        for a, b in zip(runs[::2], runs[1::2], strict=True)
        for row in compare(a, b).rows
        if row.low is not None
    ]

    assert len(changed) == 20 * 4
    assert sum(changed) <= 0.1 * len(changed)


def test_the_same_runs_are_compared_alike_each_time() -> None:
    other = run(seed=2)

    assert compare(A, other) == compare(A, other)


def test_with_fewer_than_five_intervals_nothing_is_claimed() -> None:
    found = compare(run(seconds=4), run(seconds=30, scale=2))

    assert {(row.change, row.low, row.note) for row in found.rows} == {
        ("unclear", None, "fewer than 5 intervals")
    }
    assert found.rows[1].ratio == pytest.approx(2, rel=0.1)
    assert any("none is claimed" in note for note in found.notes)


def test_a_percentile_needs_latencies_beyond_it() -> None:
    found = rows(compare(run(each=49), run(each=150)))

    assert found["deliver p99"].note == "fewer than 1,000 latencies"
    assert found["deliver p50"].low is not None


def test_warm_up_is_not_compared() -> None:
    cold = msgspec.structs.replace(
        A, intervals=[interval(0, [5000.0] * 500), *A.intervals[1:]], measured_from_s=1.0, measured_s=19.0
    )

    assert not is_claimed(rows(compare(cold, A))["deliver mean"])


def test_operations_before_the_load_are_told_without_a_bound() -> None:
    a, b = (
        msgspec.structs.replace(A, timings={"deliver": timing(3), "bridge": timing(each)}) for each in (5, 9)
    )

    bridge = rows(compare(a, b))["bridge p50"]

    assert (bridge.change, bridge.note) == ("unclear", "not in the measured time")
    assert bridge.ratio == pytest.approx(1.8, rel=0.01)


def test_what_only_one_run_did_has_no_ratio() -> None:
    other = msgspec.structs.replace(A, timings={**A.timings, "trade": timing(7)})

    trade = rows(compare(A, other))["trade p99"]

    assert (trade.a, trade.ratio, trade.note) == (None, None, "only in one run")
    assert trade.b == pytest.approx(7, rel=0.001)


def test_a_server_that_stopped_delivering_is_no_blank() -> None:
    dead = rows(compare(A, run(seed=2, delivered=0)))["delivered"]

    assert (dead.b, dead.ratio, dead.change, dead.note) == (0, 0, "unclear", "too rare, or zero")


def test_results_without_intervals_are_compared_by_their_totals() -> None:
    empty = msgspec.structs.replace(BASE, intervals=[])

    found = compare(empty, empty)

    assert "deliver p99" in rows(found)
    assert {row.low for row in found.rows} == {None}


def test_invalid_and_unlike_runs_are_warned_of() -> None:
    found = compare(A, run(honesty=honesty("late"), plan={**A.plan, "players": 99}))

    assert any("B is INVALID" in line for line in found.warnings)
    assert any("players differs" in line for line in found.warnings)
    assert "WARNING: B is INVALID" in text(found)


def test_the_table_tells_every_row() -> None:
    found = compare(A, run(seed=2, scale=1.1))

    told = text(found)

    lines = {
        row.metric: next(line for line in told.splitlines() if line.startswith(row.metric))
        for row in found.rows
    }
    assert lines["deliver p50"].endswith("WORSE")
    assert lines["delivered"].endswith("no change shown")
    assert "+1" in lines["deliver mean"]
    assert "repeat both" in told


@pytest.mark.parametrize("make", [msgspec.json.encode, msgspec.to_builtins])
def test_a_comparison_is_data(make: Callable[[Comparison], Any]) -> None:
    found = compare(A, A)

    data = make(found)

    told = msgspec.json.decode(data) if isinstance(data, bytes) else data
    assert msgspec.convert(told, Comparison) == found
    assert (told["kind"], told["schema"]) == ("lockgate-swarm-comparison", 1)
