"""What a run has shown so far: figures of the last seconds and of all of it, errors, and courses of a minute.

It is pure, and bounded in everything: a soak of a week takes no more room than its first minute.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final, Literal

from loadtest.faces.figures import in_order
from loadtest.histogram import Histogram
from loadtest.plan import Limits, Plan
from loadtest.profile import course
from loadtest.result import FAULTS, Interval, Spread

COURSE: Final = 60
"""Intervals in a course."""
RECENT: Final = 5
"""Intervals that count as the last seconds."""
MAX_ERRORS: Final = 200
OTHERS: Final = "other errors"
MAX_OPERATIONS: Final = 40
TELLING: Final = ("deliver", "echo", "matchmaking", "resume", "kick", "recover", "join", "refresh", "arrive")
"""Whose latency says most about a run, the most telling first."""

Standing = Literal["valid", "strained", "INVALID"]


@dataclass(frozen=True, slots=True)
class Figures:
    """How many, and milliseconds."""

    count: int
    p50: float
    p99: float
    p999: float
    max: float


NONE: Final = Figures(0, 0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class Error:
    """One kind of error: how often, and when last."""

    text: str
    count: int
    last_s: float


class History:
    """Add each interval as it comes."""

    def __init__(self, plan: Plan) -> None:
        self._limits = plan.limits
        self._course = course(plan)
        self.total_s = self._course.until_s
        self.last: Interval | None = None
        self.elapsed_s = 0.0
        self.delivered: deque[float] = deque(maxlen=COURSE)
        """A second."""
        self.server_cpu: deque[float | None] = deque(maxlen=COURSE)
        self.faults: Counter[str] = Counter()
        """Up to now, of those that the intervals told."""
        self._operations: dict[str, _Operation] = {}
        self._errors: dict[str, Error] = {}
        self._strain = _Strain(plan.limits)

    def add(self, interval: Interval) -> None:
        self.last = interval
        self.elapsed_s = interval.at_s + interval.for_s
        self.delivered.append(self.rate("delivered"))
        self.server_cpu.append(interval.server.cpu if interval.server else None)
        for name, spread in interval.response.items():
            if name in self._operations or (spread.count and len(self._operations) < MAX_OPERATIONS):
                self._operations.setdefault(name, _Operation(len(self.delivered) - 1))
        for name, operation in self._operations.items():
            operation.add(interval.response.get(name))
        self.faults.update({name: interval.counts[name] for name in FAULTS if name in interval.counts})
        for text, count in interval.errors.items():
            self._count_error(text, count)
        if self._course.measured_from_s <= interval.at_s and not self._is_leaving():
            self._strain.add(interval)

    def rate(self, name: str) -> float:
        """Of one of the counts, a second, in the last interval."""
        if self.last is None or self.last.for_s <= 0:
            return 0.0
        return self.last.counts.get(name, 0) / self.last.for_s

    def operations(self) -> list[str]:
        """Those with a latency, in the order of a player's life."""
        return in_order(set(self._operations))

    def telling(self, most: int) -> list[str]:
        """Of the operations the most telling ones, in the order of a player's life."""
        ranked = sorted(self.operations(), key=lambda name: TELLING.index(name) if name in TELLING else 99)
        return in_order(set(ranked[:most]))

    def main(self) -> str:
        """The operation that says most about the run, empty without any."""
        names = self.operations()
        return next((name for name in TELLING if name in names), names[0] if names else "")

    def recent(self, operation: str) -> Figures:
        return self._operations[operation].recent()

    def whole(self, operation: str) -> Figures:
        return self._operations[operation].whole()

    def p99s(self, operation: str) -> list[float | None]:
        """The course of an operation's p99; None where it had no latency."""
        return list(self._operations[operation].p99s) if operation in self._operations else []

    def errors(self, most: int) -> list[Error]:
        """The most frequent ones, and the newest in the last place if it is not among them."""
        ranked = sorted(self._errors.values(), key=lambda error: -error.count)
        shown = ranked[:most]
        newest = max(ranked, key=lambda error: error.last_s, default=None)
        if newest is not None and shown and all(error.last_s < newest.last_s for error in shown):
            shown[-1] = newest
        return shown

    def error_count(self) -> int:
        return sum(error.count for error in self._errors.values())

    def standing(self) -> tuple[Standing, str]:
        """Whether the run counts so far, and why not.

        A forecast: percentiles over all workers are known only in the end. `strained` says that a second like
        the last one, again and again, would spoil the run.
        """
        if reason := self._strain.reason():
            return "INVALID", reason
        if (
            self.last is not None
            and not self._is_leaving()
            and (reason := _strained(self.last, self._limits))
        ):
            return "strained", reason
        return "valid", ""

    def _is_leaving(self) -> bool:
        """Whether the last interval lies behind the load: what keeps the swarm busy then spoils nothing."""
        return self.last is not None and self.last.at_s + self.last.for_s / 2 > self._course.until_s

    def _count_error(self, text: str, count: int) -> None:
        if text not in self._errors and len(self._errors) >= MAX_ERRORS:
            text = OTHERS
        error = self._errors.setdefault(text, Error(text, 0, 0.0))
        error.count += count
        error.last_s = self.elapsed_s


class _Operation:
    """One operation's latencies; intervals before its first one have none."""

    def __init__(self, missed: int) -> None:
        self.p99s: deque[float | None] = deque([None] * missed, maxlen=COURSE)
        self._last: deque[Spread | None] = deque(maxlen=RECENT)
        self._all = Histogram()
        self._worst = NONE
        """Of all, for as long as spreads come without their histograms."""
        self._exact = True
        self._known: Figures | None = None

    def add(self, spread: Spread | None) -> None:
        if spread is not None and not spread.count:
            spread = None
        self.p99s.append(None if spread is None else spread.p99)
        self._last.append(spread)
        if spread is not None:
            self._all.add(spread.hdr)
            self._exact = self._exact and bool(spread.hdr)
            self._worst = _worst([self._worst, _figures(spread)])
            self._known = None

    def recent(self) -> Figures:
        spreads = [spread for spread in self._last if spread is not None]
        if len(spreads) < 2 or not all(spread.hdr for spread in spreads):
            return _worst([_figures(spread) for spread in spreads])
        merged = Histogram()
        for spread in spreads:
            merged.add(spread.hdr)
        return _of(merged)

    def whole(self) -> Figures:
        if self._known is None:
            self._known = _of(self._all) if self._exact else self._worst
        return self._known


class _Strain:
    """How the swarm fared in the measured time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lag_ms = self._gc_ms = self._cpu_s = self._seconds = 0.0

    def add(self, interval: Interval) -> None:
        own = interval.own
        self._lag_ms = max(self._lag_ms, own.lag_ms)
        self._gc_ms = max(self._gc_ms, own.gc_ms)
        self._cpu_s += own.cpu * interval.for_s
        self._seconds += interval.for_s

    def reason(self) -> str:
        """Empty while nothing is beyond its limit for good."""
        if self._lag_ms > self._limits.lag_max_ms:
            return f"its loop was {self._lag_ms:.0f} ms late"
        if self._gc_ms > self._limits.gc_max_ms:
            return f"its collector took {self._gc_ms:.0f} ms"
        cpu = self._cpu_s / self._seconds if self._seconds >= RECENT else 0.0
        return f"it used {100 * cpu:.0f} % of a core" if cpu > self._limits.cpu else ""


def _strained(interval: Interval, limits: Limits) -> str:
    own = interval.own
    if own.lag_ms > limits.lag_p99_ms:
        return f"loop {own.lag_ms:.0f} ms late"
    if own.slip_ms > limits.slip_p99_ms:
        return f"acts {own.slip_ms:.0f} ms late"
    return f"{100 * own.cpu:.0f} % of a core" if own.cpu > limits.cpu else ""


def _figures(spread: Spread) -> Figures:
    return Figures(spread.count, spread.p50, spread.p99, spread.p999, spread.max)


def _of(histogram: Histogram) -> Figures:
    p50, _, p99, p999, longest = histogram.percentiles() or (0.0,) * 5
    return Figures(len(histogram), p50, p99, p999, longest)


def _worst(figures: list[Figures]) -> Figures:
    """An upper bound of what they are together."""
    if not figures:
        return NONE
    return Figures(
        sum(each.count for each in figures),
        max(each.p50 for each in figures),
        max(each.p99 for each in figures),
        max(each.p999 for each in figures),
        max(each.max for each in figures),
    )
