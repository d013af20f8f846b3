"""What it costs to read and to write each kind of message, in both formats.

Run as python -m tests.bench.codec SECONDS it measures the published examples, the longest of each kind, in
slices that take turns, and prints JSON. CPU time of the process counts.
"""

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from protocol.envelope import Envelope, Format, decode, decode_server, encode
from tests.bench.report import say, table

VECTORS = Path(__file__).parents[1] / "protocol" / "vectors.json"
SLICE = 200
"""Messages per slice."""
Costs = dict[str, dict[str, float]]
"""CPU microseconds by row, then by format."""


class CodecBench:
    """All measurements of the codec, on one core."""

    def __init__(self, core: int, seconds: float) -> None:
        self._core = core
        self._seconds = seconds
        self._costs: dict[str, dict[str, list[float]]] = {}

    async def round(self) -> None:
        """Everything once, in a process of its own."""
        for row, by_format in (await asyncio.to_thread(self._measure)).items():
            for name, cost_us in by_format.items():
                self._costs.setdefault(row, {}).setdefault(name, []).append(cost_us)
        say(f"         codec: {len(self._costs)} rows")

    def report(self) -> str:
        """The table: what a server reads, then what it writes."""
        return table(self._costs, [form.name for form in Format])

    def _measure(self) -> Costs:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.codec", str(self._seconds)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        return dict(json.loads(done.stdout))


def examples(direction: str) -> dict[str, Envelope]:
    """The longest published example of each kind, by wire name."""
    found: dict[str, Envelope] = {}
    cases = json.loads(VECTORS.read_text())["envelopes"]
    for case in sorted(cases, key=lambda case: len(case["protobuf_hex"])):
        for name in case["json"].keys() - {"cid"}:
            if case["direction"] == direction:
                found[name] = decode_server(json.dumps(case["json"]).encode())
    return dict(sorted(found.items()))


def cases() -> dict[tuple[str, Format], Callable[[], object]]:
    """What is timed, by row and format."""
    found: dict[tuple[str, Format], Callable[[], object]] = {}
    for form in Format:
        for name, envelope in examples("c2s").items():
            payload = encode(envelope, form)
            if decode(payload, form) != envelope:
                raise RuntimeError(f"{name} does not come back")
            found[f"decode {name}, CPU us", form] = partial(decode, payload, form)
        for name, envelope in examples("s2c").items():
            found[f"encode {name}, CPU us", form] = partial(encode, envelope, form)
    return found


def timed(work: Callable[[], object]) -> float:
    """CPU microseconds of one message, over one slice."""
    began = time.process_time_ns()
    for _ in range(SLICE):
        work()
    return (time.process_time_ns() - began) / SLICE / 1000


def main(seconds: float) -> None:
    work = cases()
    timings: dict[tuple[str, Format], list[float]] = {case: [] for case in work}
    gc.collect()
    gc.freeze()  # as the server does once it is started
    until = time.monotonic() + seconds * len(Format)
    while time.monotonic() < until or not all(map(len, timings.values())):
        for case, slices in timings.items():
            slices.append(timed(work[case]))
    costs: Costs = {}
    for (row, form), slices in timings.items():
        # Others on the machine only ever make a slice slower, so the faster ones tell the cost.
        costs.setdefault(row, {})[form.name] = (
            statistics.quantiles(slices, n=4)[0] if len(slices) > 1 else slices[0]
        )
    sys.stdout.write(json.dumps(costs))


if __name__ == "__main__":
    main(float(sys.argv[1]))
