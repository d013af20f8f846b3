"""What a server tells in Prometheus' text format, and what changed from one reading to the next.

It knows no server: counters are told as rates, histograms by their 99th percentile, gauges as they are. The
names that say most about a loaded game server come first, and no more than `MAX_NAMES` are told.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

MAX_NAMES: Final = 40
CPU: Final = "process_cpu_seconds_total"
RSS: Final = "process_resident_memory_bytes"
OF_THE_RUNTIME: Final = ("process_", "python_", "go_", "promhttp_", "scrape_")
"""Prefixes of what each program of its kind tells of itself."""
TELLING: Final = (
    "lag",
    "lateness",
    "latency",
    "tick_duration",
    "gc_pause",
    "unsent",
    "behind",
    "dropped",
    "slow",
    "error",
    "refused",
    "limited",
    "messages",
    "delivered",
    "sockets",
    "session",
    "match",
    "presence",
    "count",
)
"""Parts of names, the most telling first."""


@dataclass(frozen=True, slots=True)
class Exposition:
    """One reading; series that differ only in labels are added up."""

    counters: Mapping[str, float] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    buckets: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    """Of a histogram: how many values were up to each bound."""
    p99: Mapping[str, float] = field(default_factory=dict)
    """Of a summary, which the server itself has reckoned; the highest of all labels."""
    version: str = ""
    """Of the server, if a metric `..._build_info` has it as a label."""


def parse(text: str) -> Exposition:
    """Raises ValueError for another format."""
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    buckets: dict[str, dict[float, float]] = {}
    p99: dict[str, float] = {}
    version = ""
    for kind, family, sample in _samples(text):
        name, value = sample.name, float(sample.value)
        if name.endswith("build_info") and not name.startswith(OF_THE_RUNTIME):
            version = sample.labels.get("version", "")
        elif not math.isfinite(value):
            continue
        elif kind == "histogram" and name.endswith("_bucket"):
            bound = float(sample.labels.get("le", "nan"))
            family_buckets = buckets.setdefault(family, {})
            family_buckets[bound] = family_buckets.get(bound, 0.0) + value
        elif kind == "summary" and sample.labels.get("quantile") == "0.99":
            p99[family] = max(value, p99.get(family, value))
        elif kind == "counter" or name.endswith("_total"):
            counters[name] = counters.get(name, 0.0) + value
        elif kind in ("gauge", "untyped", "unknown"):
            gauges[name] = gauges.get(name, 0.0) + value
    return Exposition(counters, gauges, buckets, p99, version)


def between(before: Exposition, after: Exposition, seconds: float) -> dict[str, float]:
    """What moved or tells a state: `..._per_s` of counters, `..._p99` of histograms, gauges but for 0."""
    told = {name: value for name, value in after.gauges.items() if value or before.gauges.get(name)}
    for name, value in after.counters.items():
        grown = _grown(before.counters.get(name, 0.0), value)
        if grown and seconds > 0:
            told[f"{name.removesuffix('_total')}_per_s"] = grown / seconds
    for name, counts in after.buckets.items():
        p99 = _percentile(before.buckets.get(name, {}), counts, 0.99)
        if p99 is not None:
            told[f"{name}_p99"] = p99
    told.update((f"{name}_p99", value) for name, value in after.p99.items())
    names = sorted((name for name in told if not name.startswith(OF_THE_RUNTIME)), key=_rank)
    return {name: told[name] for name in names[:MAX_NAMES]}


def _samples(text: str) -> Iterator[tuple[str, str, Sample]]:
    """Each sample with the kind and the name of its family."""
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                yield family.type, family.name, sample
    except (IndexError, KeyError, TypeError) as error:  # what the parser meets in text that is none of its
        raise ValueError(f"no metrics: {type(error).__name__}") from None


def _grown(before: float, after: float) -> float:
    """By how much a counter grew; one that is smaller than before began anew."""
    return after - before if after >= before else after


def _percentile(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float | None:
    """Of the values since `before`, evenly spread in a bucket as Prometheus has it; None without values."""
    bounds = sorted(bound for bound in after if not math.isnan(bound))
    anew = any(after[bound] < before.get(bound, 0.0) for bound in bounds)
    grown = [after[bound] - (0.0 if anew else before.get(bound, 0.0)) for bound in bounds]
    if not bounds or grown[-1] <= 0:
        return None
    rank, low, seen = share * grown[-1], 0.0, 0.0
    for bound, count in zip(bounds, grown, strict=True):
        if count >= rank:
            # Nobody knows how far beyond the last bound a value was.
            return low if math.isinf(bound) else low + (bound - low) * (rank - seen) / max(count - seen, 1e-9)
        low, seen = bound, count
    return low


def _rank(name: str) -> tuple[int, str]:
    return next((rank for rank, part in enumerate(TELLING) if part in name), len(TELLING)), name
