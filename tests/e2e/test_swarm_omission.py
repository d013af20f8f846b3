"""A server that stands still now and then is reported with the percentiles that arithmetic demands.

Whoever waits for each answer before speaking again asks a frozen server once, and reports that nothing
happened (coordinated omission). The swarm's schedule waits for nobody.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from loadtest.result import Result, Spread
from loadtest.verdict import why
from tests.support import asked_in_turn
from tests.support.freezes import (
    Freeze,
    closed_loop_latencies,
    expected_latencies,
    freezes_of,
    percentile,
    percentile_of,
)
from tests.support.frozen_site import frozen_site
from tests.support.running import RunningServer
from tests.support.swarm_runs import played

LIMITS: Final = {"lag_p99_ms": 250, "lag_max_ms": 20_000, "slip_p99_ms": 250, "cpu": 8, "gc_max_ms": 5000}
"""Other tests may hold the swarm up a little. To take the server's freezes for its own would be too much."""
EVERY_S: Final = 0.05
"""How often each player speaks."""
RUNS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "echo": ("echo", {"settings": {"rate": 1 / EVERY_S}}),
    "relay": ("relay", {"settings": {"match_size": 3, "rate": 1 / EVERY_S}}),
    "closed": (str(Path(asked_in_turn.__file__)), {"settings": {"pause_s": EVERY_S}}),
}
OPERATION: Final = {"echo": "echo", "relay": "deliver", "closed": "asked"}
BELOW_MS: Final = 50
"""Less than what is true may be told by so much: there are 60 messages in a second of frozen time."""
ABOVE_MS: Final = 250
"""More by so much: processors that are shared with other tests do make answers late."""


class Case(NamedTuple):
    """Freezes, and for how many of their periods the load is measured: it does not matter where it begins."""

    period_s: float
    for_s: float
    periods: int

    def __str__(self) -> str:
        return f"{self.for_s:g}s-each-{self.period_s:g}s"


class Found(NamedTuple):
    results: dict[str, Result]
    freezes: list[Freeze]


CASES: Final = [Case(10, 1, 1), Case(2, 0.5, 4)]


async def measured(site: RunningServer, case: Case) -> dict[str, Result]:
    """All runs at once, each with players of its own."""
    length_s = case.period_s * case.periods
    sign_in = {"issuer": site.issuer}
    common = {"sign_in": sign_in, "players": 3, "duration_s": length_s, "limits": LIMITS, "heartbeat_s": 0}
    common["warm_up_s"] = 2.0  # who comes may meet a freeze, too
    results = await asyncio.gather(
        *(
            played(site, scenario, seed=seed, **common, **members)
            for seed, (scenario, members) in enumerate(RUNS.values(), 1)
        )
    )
    return dict(zip(RUNS, results, strict=True))


def frozen(case: Case, folder: Path) -> Found:
    with frozen_site(folder, case.period_s, case.for_s) as site:
        results = asyncio.run(measured(site, case))
        return Found(results, freezes_of(site.events))


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Future[Found]]]:
    with ThreadPoolExecutor() as pool:
        yield {case: pool.submit(frozen, case, tmp_path_factory.mktemp("site")) for case in CASES}


def truly_due(case: Case, freezes: Sequence[Freeze]) -> list[float]:
    """When messages were due, one each millisecond of all whole periods around the freezes that were told."""
    begin_s, length_s = freezes[0][0] - case.period_s / 2, len(freezes) * case.period_s
    return [begin_s + number / 1000 for number in range(round(length_s * 1000))]


def spread(result: Result, name: str) -> Spread:
    return result.timings[OPERATION[name]].response


@pytest.mark.parametrize("name", ["echo", "relay"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_freezes_are_reported_with_the_percentiles_that_follow_from_them(
    case: Case, name: str, findings: dict[Case, Future[Found]]
) -> None:
    found = findings[case].result()
    result = found.results[name]

    assert result.verdict == "passed", why(result)
    reported = spread(result, name)
    due = truly_due(case, found.freezes)
    waited = expected_latencies(due, found.freezes)

    expected_count = case.periods * case.period_s / EVERY_S * 3 * (2 if name == "relay" else 1)
    assert reported.count == pytest.approx(expected_count, rel=0.01)
    for q, told in {50: reported.p50, 90: reported.p90, 99: reported.p99, 100: reported.max}.items():
        formula = percentile(q, case.period_s, case.for_s)
        for truth in (formula, percentile_of(waited, q)):
            assert -BELOW_MS <= told - truth * 1000 <= ABOVE_MS, (q, told, truth)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_who_waits_for_answers_would_not_have_seen_them(
    case: Case, findings: dict[Case, Future[Found]]
) -> None:
    found = findings[case].result()
    q = 99 if case.for_s / case.period_s < 0.2 else 90

    closed = spread(found.results["closed"], "closed")
    begin_s = found.freezes[0][0] - case.period_s / 2
    end_s = begin_s + case.period_s * case.periods
    arithmetic = closed_loop_latencies(begin_s, end_s, EVERY_S, found.freezes)

    told = {90: closed.p90, 99: closed.p99}[q]
    truth = percentile(q, case.period_s, case.for_s) * 1000
    assert truth > 250
    assert told < truth / 2
    assert percentile_of(arithmetic, q) == 0
