"""What one round of the matchmaker costs with a full pool, and how that grows.

Run as python -m tests.bench.matchmaker it measures both kinds of pool at each size, and prints JSON. In
`pairs` players look for one another of their region within a hundred ranks, and nearly all find somebody; in
`nobody` everybody asks for what nobody has. CPU time of the process counts.
"""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time

from server.core.matchmaker import Limits, Matchmaker
from tests.bench.report import say
from tests.support.searches import NOW, player, search

SIZES = (1_000, 10_000, 50_000)
REGIONS = ("eu", "us", "as", "sa")
RANKS = 3_000
SLICE = 5_000
"""Tickets looked at in a row, as the server does."""

Costs = dict[str, dict[str, tuple[float, float]]]
"""CPU milliseconds of a round, and of its longest slice, by kind and size."""


class MatchmakerBench:
    """All measurements of the matchmaker, on one core."""

    def __init__(self, core: int) -> None:
        self._core = core
        self._costs: dict[tuple[str, str], list[tuple[float, float]]] = {}

    async def round(self) -> None:
        """Everything once, in a process of its own."""
        for kind, by_size in (await asyncio.to_thread(self._measure)).items():
            for size, cost in by_size.items():
                self._costs.setdefault((kind, size), []).append(cost)
                say(f"         matchmaker, {kind:8} {size:>7} tickets {cost[0]:10.1f} ms")

    def report(self) -> str:
        """The table."""
        lines = [f"{'matchmaker, one round':24}{'CPU ms':>12}{'us a ticket':>14}{'longest slice ms':>19}"]
        for (kind, size), costs in self._costs.items():
            whole = statistics.median(cost for cost, _ in costs)
            longest = statistics.median(longest for _, longest in costs)
            each = whole * 1000 / int(size)
            lines.append(f"{kind:10}{int(size):>14,}{whole:>12.1f}{each:>14.1f}{longest:>19.1f}")
        return "\n".join(lines)

    def _measure(self) -> Costs:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.matchmaker"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        return dict(json.loads(done.stdout))


def filled(size: int, kind: str) -> Matchmaker:
    """A pool of so many players who search."""
    matchmaker = Matchmaker(Limits(pool=size))
    for number in range(size):
        region, rank = REGIONS[number % len(REGIONS)], number * 7919 % RANKS
        asked = region if kind == "pairs" else "nowhere"
        query = f"+properties.region:{asked} +properties.rank:>={rank - 50} +properties.rank:<={rank + 50}"
        wanted = search(2, 2, query, texts={"region": region}, numbers={"rank": rank})
        matchmaker.add(f"t{number}", [player(number)], wanted, NOW)
    return matchmaker


def cost_of_round(matchmaker: Matchmaker) -> tuple[float, float]:
    """CPU milliseconds of one round, and of its longest slice."""
    gc.collect()
    matchmaker.begin_round()
    slices = []
    while matchmaker.working:
        began = time.process_time_ns()
        matchmaker.work(SLICE, NOW)
        slices.append((time.process_time_ns() - began) / 1e6)
    return sum(slices), max(slices)


def main() -> None:
    costs: Costs = {
        kind: {str(size): cost_of_round(filled(size, kind)) for size in SIZES} for kind in ("pairs", "nobody")
    }
    sys.stdout.write(json.dumps(costs))


if __name__ == "__main__":
    main()
