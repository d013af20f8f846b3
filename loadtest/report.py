"""What a run found, as lines of text."""

import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtest.histogram import Histogram
from loadtest.ledger import Tally
from loadtest.options import Options
from loadtest.probe import Usage

MAX_SLIP_MS = 50.0
"""Sends later than this at the 99th percentile mean that the swarm, not the server, was the bottleneck."""


@dataclass(slots=True)
class Result:
    """Everything measured; what was not reached keeps its emptiness."""

    tally: Tally
    latencies: Mapping[str, Histogram]
    slip: Histogram
    connected: int = 0
    measured_s: float = 0.0
    stopped_early: bool = False
    refused: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Sockets that ended on their own, by reason."""
    before: Usage | None = None
    after: Usage | None = None
    own_cpu_s: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether every player stayed connected and received all that was sent to them, once and in order."""
        return self.tally.is_clean and not self.dropped and not self.refused

    @property
    def is_valid(self) -> bool:
        """Whether the swarm kept its own schedule."""
        slip = self.slip.percentiles()
        return not slip or slip[2] <= MAX_SLIP_MS


def write(result: Result, options: Options) -> str:
    """The whole report."""
    lines = [
        f"scenario   {options.scenario}, {result.connected} of {options.players} players,"
        f" {options.form.name.lower()}, seed {options.seed}"
        + (f", matches of {options.match_size} at {options.rate:g}/s" if options.scenario == "relay" else ""),
        f"machine    {os.cpu_count()} CPUs, {platform.system()} {platform.release()},"
        f" Python {platform.python_version()}",
        f"measured   {result.measured_s:.1f} s" + (" (stopped early)" if result.stopped_early else ""),
        "",
        f"{'latency, ms':<22}{'count':>10}{'p50':>10}{'p90':>10}{'p99':>10}{'p99.9':>10}{'max':>10}",
        *(_latency(name, histogram) for name, histogram in result.latencies.items()),
        "",
        *_counts(result),
        *_use(result),
    ]
    return "\n".join(lines) + "\n"


def _latency(name: str, histogram: Histogram) -> str:
    figures = "".join(f"{value:>10.2f}" for value in histogram.percentiles())
    return f"{name:<22}{len(histogram):>10}{figures or f'{chr(45):>10}'}"


def _counts(result: Result) -> list[str]:
    tally = result.tally
    return [
        f"sent {tally.sent}, delivered {tally.delivered} of {tally.expected}, lost {tally.lost}",
        f"duplicated {tally.duplicated}, reordered {tally.reordered}, wrong {tally.wrong},"
        f" refused {result.refused}, dropped sockets {result.dropped.total()}",
        *(f"  {count} x {reason}" for reason, count in result.dropped.most_common()),
    ]


def _use(result: Result) -> list[str]:
    span = max(result.measured_s, 1e-9)
    lines = [f"swarm      {result.own_cpu_s:.2f} s CPU ({100 * result.own_cpu_s / span:.0f} %)"]
    if result.before is None or result.after is None:
        lines.insert(0, "server     CPU and memory unknown")
    else:
        used = result.after.cpu_s - result.before.cpu_s
        delivered = result.tally.delivered
        each = f", {1e6 * used / delivered:.1f} us per delivery" if delivered else ""
        memory = f"{result.after.rss_bytes / 2**20:.1f} MiB resident"
        lines.insert(0, f"server     {used:.2f} s CPU ({100 * used / span:.0f} %){each}, {memory}")
    if not result.is_valid:
        lines.append("INVALID: the swarm fell behind its own schedule; use fewer players or more cores")
    lines.append("all received, once and in order" if result.is_good else "FAULTS FOUND")
    return lines
