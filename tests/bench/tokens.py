"""What a check of one of our session tokens costs, and what 100,000 revocations add to it.

Run as python -m tests.bench.tokens SECONDS it measures in slices that take turns, so that whatever else the
machine does hits all alike, and prints JSON. CPU time of the process counts.
"""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.clock import SystemClock
from server.identity.revocation import Revocations
from server.identity.signingkeys import SigningKeys
from server.identity.tokens import Lifetimes, Subject, Tokens
from server.ids import RandomIds
from server.storage.revocations import Ended, Revoked
from tests.bench.report import say, table

REVOKED = 100_000
TOKENS = 1_000
SLICE_S = 0.02
NAMES = ["nothing revoked", "100,000 revoked"]
CACHED = "session token seen before, CPU us"
FIRST = "session token at first sight, CPU us"
SPOILED = "refused: spoiled signature, CPU us"
STRANGE = "refused: key not ours, CPU us"
ROWS = [CACHED, FIRST, SPOILED, STRANGE]
LIFETIMES = Lifetimes(7200, 7200, 7200)

Check = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Case:
    """One figure: `prepare` gives the check to time, outside of the time."""

    row: str
    name: str
    tokens: Sequence[str]
    prepare: Callable[[], Check]
    passes: bool


class TokenBench:
    """All measurements of token checks, on one core."""

    def __init__(self, core: int, seconds: float) -> None:
        self._core = core
        self._seconds = seconds
        self.checked: dict[str, dict[str, list[float]]] = {}
        self.mib: list[float] = []

    async def round(self) -> None:
        """Everything once, in a process of its own."""
        told = await asyncio.to_thread(self._measure)
        self.mib.append(told["mib"])
        for row, by_name in told["checked"].items():
            for name, cost_us in by_name.items():
                self.checked.setdefault(row, {}).setdefault(name, []).append(cost_us)
                say(f"         {row:42} {name:18} {cost_us:10.3f}")

    def report(self) -> str:
        """The table, the multiples of the cheapest check, and the memory."""
        middle = {row: statistics.median(self.checked[row][NAMES[0]]) for row in ROWS}
        multiples = [f"{row.partition(', CPU')[0]}: {middle[row] / middle[CACHED]:.1f}x" for row in ROWS[1:]]
        return "\n".join(
            [
                table(self.checked, NAMES),
                f"beside one seen before: {', '.join(multiples)}",
                f"memory of {REVOKED} revocations: {statistics.median(self.mib):.1f} MiB",
            ]
        )

    def _measure(self) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.tokens", str(self._seconds)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        return dict(json.loads(done.stdout))


def minted(keys: SigningKeys) -> list[str]:
    """Tokens of as many logins, none of which is revoked."""
    clock = SystemClock()
    tokens, now = Tokens(keys, LIFETIMES, Revocations(clock), clock), int(clock.wall())
    terms = tokens.terms(now, now + 7200)
    return [
        tokens.mint(Subject(family(number), f"player{number:05}", family(number), {}, now), terms).token
        for number in range(TOKENS)
    ]


def family(number: int) -> str:
    return str(uuid.UUID(int=number + (1 << 80)))


def revoked(count: int) -> tuple[Revocations, float]:
    """A deny list of so many logins, and its MiB."""
    clock = SystemClock()
    until = int(clock.wall()) + 7200
    tracemalloc.start()
    revocations = Revocations(clock)
    revocations.add(Revoked(family(TOKENS + number), until, Ended.LOGOUT) for number in range(count))
    mib = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    return revocations, mib


def cases(keys: SigningKeys, by_name: dict[str, Revocations]) -> list[Case]:
    ours = minted(keys)
    strange = minted(SigningKeys.generate(RandomIds("bench")))
    return [
        case for name, revocations in by_name.items() for case in rows(name, keys, revocations, ours, strange)
    ]


def rows(
    name: str, keys: SigningKeys, revocations: Revocations, ours: Sequence[str], strange: Sequence[str]
) -> list[Case]:
    """Every kind of check against one deny list."""

    def fresh() -> Check:
        return Tokens(keys, LIFETIMES, revocations, SystemClock()).check_session

    seen = fresh()
    for token in ours:
        seen(token)
    return [
        Case(CACHED, name, ours, lambda: seen, passes=True),
        Case(FIRST, name, ours, fresh, passes=True),
        Case(SPOILED, name, [spoiled(token) for token in ours], fresh, passes=False),
        Case(STRANGE, name, strange, fresh, passes=False),
    ]


def spoiled(token: str) -> str:
    """With another first character of the signature: the form stays right to the end."""
    head, _, mac = token.rpartition(".")
    return f"{head}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"


def timed(case: Case) -> float:
    """CPU microseconds of a check, over one slice."""
    done, spent_s = 0, 0.0
    while spent_s < SLICE_S:
        check = case.prepare()
        began = time.process_time()
        for token in case.tokens:
            check(token)
        spent_s += time.process_time() - began
        done += len(case.tokens)
    return spent_s / done * 1e6


def main(seconds: float) -> None:
    many, mib = revoked(REVOKED)
    all_cases = cases(
        SigningKeys.generate(RandomIds("bench")),
        {NAMES[0]: Revocations(SystemClock()), NAMES[1]: many},
    )
    for case in all_cases:
        if any((case.prepare()(token) is not None) != case.passes for token in case.tokens):
            raise RuntimeError(f"{case.row}: a check did not answer as it should")
    all_cases.sort(key=lambda case: ROWS.index(case.row))
    gc.collect()
    gc.freeze()  # as the server does once it is started
    costs: dict[str, dict[str, list[float]]] = {row: {name: [] for name in NAMES} for row in ROWS}
    until = time.monotonic() + seconds * len(all_cases)
    while time.monotonic() < until:
        all_cases.reverse()  # so that neither of two neighbours is always the first
        for case in all_cases:
            costs[case.row][case.name].append(timed(case))
    checked = {
        # Others on the machine only ever make a slice slower, so the faster ones tell the cost.
        row: {name: statistics.quantiles(slices, n=4)[0] for name, slices in by_name.items()}
        for row, by_name in costs.items()
    }
    sys.stdout.write(json.dumps({"checked": checked, "mib": mib}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
