"""What is seen of the server from outside: its metrics, its memory, its log."""

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

Samples = dict[str, float]
"""By name and labels, as they are written: `name` or `name{label="value"}`."""

LEFT_EMPTY = (
    "lockgate_sockets_open",
    "lockgate_sockets_leaving",
    "lockgate_sessions_away",
    "lockgate_sockets_behind",
    "lockgate_outgoing_unsent_bytes",
    "lockgate_matches",
    "lockgate_channels",
    "lockgate_presences",
    "lockgate_stream_presences",
    "lockgate_status_follows",
)
LAG = "lockgate_loop_lag_seconds"


def scrape(ops: str) -> Samples:
    """The metrics now. Blocks."""
    with urllib.request.urlopen(f"http://{ops}/metrics", timeout=10) as answer:
        return parsed(answer.read().decode())


def parsed(text: str) -> Samples:
    """Prometheus text."""
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def by_label(samples: Samples, name: str) -> dict[str, float]:
    """The values of one metric that are not 0, by their labels."""
    found = (key for key in samples if key.startswith(f"{name}{{") and samples[key])
    return {key[len(name) + 1 : -1]: samples[key] for key in found}


def left_over(samples: Samples) -> dict[str, float]:
    """What is not empty of what must be when everybody has gone."""
    return {name: samples[name] for name in LEFT_EMPTY if samples[name]}


def quantile_s(after: Samples, before: Samples, name: str, share: float) -> float:
    """The bound in seconds that this share of a histogram's values was under, of those between two looks.

    Share 1 is the bound of the greatest; 0 when there were no values.
    """
    bounds = ((key, re.fullmatch(rf'{name}_bucket\{{le="(.+)"\}}', key)) for key in after)
    buckets = sorted(
        (float(bound[1]), after[key] - before.get(key, 0.0)) for key, bound in bounds if bound is not None
    )
    total = buckets[-1][1] if buckets else 0.0
    return next((bound for bound, count in buckets if total and count >= total * share), 0.0)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line through the points by least squares; 0 where there is none."""
    if not points:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


class Log:
    """What a server has logged: why sockets ended, and what it complained of."""

    def __init__(self, output: Path, errors: Path) -> None:
        self.endings: Counter[str] = Counter()
        self.levels: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        """Events of level error and above, and lines that are no events."""
        with output.open(encoding="utf-8") as lines:
            self._read(lines)
        with errors.open(encoding="utf-8") as lines:
            self.errors.update(f"on standard error: {line.rstrip()}" for line in lines)

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            if not line.startswith("{"):
                self.errors[f"printed: {line.rstrip()}"] += 1
                continue
            event = json.loads(line)
            self.levels[event["level"]] += 1
            if event["level"] == "warning":
                self.warnings[event["event"]] += 1
            if event["event"] == "socket_closed":
                self.endings[f"{event['code']} {event['reason']}".rstrip()] += 1
            if event["level"] in ("error", "critical") or "exception" in event:
                self.errors[f"{event['event']} {event.get('error', '')}".rstrip()] += 1
