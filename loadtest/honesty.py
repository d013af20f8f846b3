"""Whether the swarm was the bottleneck: what its workers told of themselves, against the limits of the plan.

It does not ask whose fault that was. A worker whose processor was taken by other programs, or by other
machines on the same host, measured as wrongly as one with too much to do. It knows nothing of the server: one
that freezes makes no beat of a worker late.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from loadtest.histogram import Histogram
from loadtest.notes import Sample
from loadtest.plan import Limits
from loadtest.result import Honesty, OwnUse
from loadtest.shortages import REMEDIES

HUNDRED: Final = 100.0
LATE: Final = frozenset({"lag_p99_ms", "lag_max_ms", "slip_p99_ms"})
TOLD_WITHIN_S: Final = 1.0
BUSY: Final = 0.7
"""A worker below this share of its processor that is late nevertheless did not get the rest."""


class HonestyCount:
    """Add the samples of the time that was measured, of each worker, then ask for the `result`.

    What a machine ran out of counts at any time: players who could not come in are no load.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lag: dict[Hashable, Histogram] = {}
        """By worker, as below."""
        self._slip: dict[Hashable, Histogram] = {}
        self._gc_max_ms = 0.0
        self._used: dict[Hashable, tuple[float, float]] = {}
        """By worker: processor seconds, and in how many seconds."""
        self._short_of: Counter[str] = Counter()

    def add(self, worker: Hashable, sample: Sample, for_s: float) -> None:
        """`for_s`: since this worker's last sample. Raises ValueError for what is no histogram."""
        self._lag.setdefault(worker, Histogram()).add(sample.lag)
        self._slip.setdefault(worker, Histogram()).add(sample.slip)
        self._gc_max_ms = max(self._gc_max_ms, sample.gc_max_ms)
        cpu_s, span_s = self._used.get(worker, (0.0, 0.0))
        self._used[worker] = cpu_s + sample.cpu_s, span_s + for_s

    def add_shortages(self, sample: Sample) -> None:
        """Of every sample, whether its time was measured or not."""
        for missing in REMEDIES:
            self._short_of[missing] += sample.short_of.get(missing, 0)

    def result(self, measured_s: float) -> Honesty:
        """`measured_s`: how long the load was measured. Whoever has told nothing in a second was held up."""
        found = {
            "lag_p99_ms": _worst(self._lag, 99),
            "lag_max_ms": _worst(self._lag, HUNDRED),
            "slip_p99_ms": _worst(self._slip, 99),
            "cpu": max((cpu / span for cpu, span in self._used.values() if span > 0), default=0.0),
            "gc_max_ms": self._gc_max_ms,
        }
        limits = {name: float(getattr(self._limits, name)) for name in found}
        over = [name for name in found if _exact(found[name]) > limits[name]]
        reasons = self._reasons(over, found, limits)
        if not any(map(len, self._lag.values())) and measured_s >= TOLD_WITHIN_S:
            # Without a beat nobody knows how late the loops were, and that is no reason to believe them.
            reasons = ["no worker told how it fared while it was measured"]
        return Honesty(**found, limits=limits, reasons=[*self._told_shortages(), *reasons])

    def _told_shortages(self) -> list[str]:
        return [
            f"{times:,} times a machine of the swarm had no {missing} left for a socket: {REMEDIES[missing]}"
            for missing, times in self._short_of.items()
            if times
        ]

    def _reasons(self, over: list[str], found: dict[str, float], limits: dict[str, float]) -> list[str]:
        reasons = [_TELL[name].format(found=_told(name, found), limit=_told(name, limits)) for name in over]
        if LATE & set(over) and found["cpu"] < BUSY:
            reasons.append(
                f"the busiest worker used only {HUNDRED * found['cpu']:.0f} % of a processor: other programs,"
                " or the host of this machine, took its time, or the scenario made a call that waits"
            )
        return reasons


def own_use(samples: Iterable[tuple[Sample, float]]) -> OwnUse:
    """The worst of the workers in one interval, from each one's sample and the seconds that it covers.

    Raises ValueError for what is no histogram.
    """
    lag, slip = Histogram(), Histogram()
    cpu = gc_ms = 0.0
    for sample, for_s in samples:
        lag.add(sample.lag)
        slip.add(sample.slip)
        cpu = max(cpu, sample.cpu_s / for_s if for_s > 0 else 0.0)
        gc_ms = max(gc_ms, sample.gc_max_ms)
    return OwnUse(
        cpu=cpu, lag_ms=lag.percentile_ms(HUNDRED), slip_ms=slip.percentile_ms(HUNDRED), gc_ms=gc_ms
    )


def _worst(histograms: Mapping[Hashable, Histogram], percent: float) -> float:
    """Of all workers: beside many others a bad one would not be seen in what is added up."""
    return max((each.percentile_ms(percent) for each in histograms.values()), default=0.0)


_TELL: Final = {
    "lag_p99_ms": "for one percent of the time a worker's loop was late by {found} or more (limit {limit})",
    "lag_max_ms": "a worker's loop was late by {found} once (limit {limit})",
    "slip_p99_ms": "a worker began one act in a hundred {found} or more after it was due (limit {limit})",
    "cpu": "the busiest worker used {found} of a processor (limit {limit}); more workers share the load",
    "gc_max_ms": "the collector held up a worker for {found} (limit {limit})",
}


def _told(name: str, figures: dict[str, float]) -> str:
    figure = figures[name]
    return f"{HUNDRED * figure:.1f} %" if name == "cpu" else f"{figure:.1f} ms"


def _exact(figure: float) -> float:
    """To three digits: the histograms know no more, and a figure at its limit is within it."""
    return float(f"{figure:.3g}")
