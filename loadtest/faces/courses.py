"""What the plots of a report show, as numbers: courses over time and percentile curves.

Pure, and it knows no plotting library. Where there is nothing to show a course is None at that place, or
the whole is empty; nothing is made up in between.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loadtest.histogram import values
from loadtest.result import Interval, Result, Spread

MAX_KINDS: Final = 6
"""Kinds of errors that have a colour of their own."""
OTHERS: Final = "other kinds"
MAX_METRICS: Final = 4
LATE_PARTS: Final = ("lag", "lateness", "pause", "duration")
"""Words in the name of a server's metric that tells how late it was, the most telling first."""
TROUBLE_PARTS: Final = ("dropped", "unsent", "slow", "errors", "refused", "limited")
"""Words in the name of one that tells what it could not do."""
POINTS_A_DECADE: Final = 64
LEAST_MS: Final = 0.001
"""Histograms count microseconds. Nothing less can be drawn where an axis is logarithmic."""

Values = list[float | None]


@dataclass(frozen=True, slots=True)
class TimeUnit:
    """In what the time of a run is told, so that a soak is not told in tens of thousands of seconds."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a percentile curve: `x` is 1 / (1 - share)."""

    x: float
    percent: float
    ms: float


def time_unit(result: Result) -> TimeUnit:
    """Seconds up to twenty minutes, minutes up to four hours, else hours."""
    end_s = max((each.at_s + each.for_s for each in result.intervals), default=0.0)
    if end_s <= 1200:
        return TimeUnit("s", 1.0)
    return TimeUnit("min", 60.0) if end_s <= 4 * 3600 else TimeUnit("h", 3600.0)


def middles(result: Result, unit: TimeUnit) -> list[float]:
    """When each interval was, by its middle."""
    return [round((each.at_s + each.for_s / 2) / unit.seconds, 6) for each in result.intervals]


def ends(result: Result, unit: TimeUnit) -> list[float]:
    """For what is true at the end of an interval."""
    return [round((each.at_s + each.for_s) / unit.seconds, 6) for each in result.intervals]


def latency(result: Result, operation: str, figure: Callable[[Spread], float]) -> Values:
    """Of what was answered in each interval, in milliseconds."""
    found = (each.response.get(operation) for each in result.intervals)
    return [max(figure(spread), LEAST_MS) if spread and spread.count else None for spread in found]


def rate(result: Result, count: str) -> Values:
    """How often a second; all None when nothing of the kind was ever counted."""
    if not any(each.counts.get(count) for each in result.intervals):
        return [None] * len(result.intervals)
    return [_a_second(each, each.counts.get(count, 0)) for each in result.intervals]


def errors(result: Result) -> dict[str, Values]:
    """Errors a second by what was told, the most frequent first, the rare ones together."""
    total: Counter[str] = Counter()
    for each in result.intervals:
        total.update(each.errors)
    shown = [text for text, count in sorted(total.items(), key=lambda item: (-item[1], item[0])) if count]
    shown, rest = shown[:MAX_KINDS], frozenset(shown[MAX_KINDS:])
    courses = {
        text: [_a_second(each, each.errors.get(text, 0)) for each in result.intervals] for text in shown
    }
    if rest:
        courses[OTHERS] = [
            _a_second(each, sum(count for text, count in each.errors.items() if text in rest))
            for each in result.intervals
        ]
    return courses


def late_metrics(result: Result) -> dict[str, Values]:
    """Of the server's metrics those that tell in seconds how late it was, in milliseconds."""
    return _metrics(
        result,
        lambda name: _rank(name, LATE_PARTS) if name.endswith(("_seconds", "_seconds_p99")) else None,
        1000.0,
        None,  # a percentile of nothing is not zero
    )


def trouble_metrics(result: Result) -> dict[str, Values]:
    """Those that tell how often a second it could not do something."""
    return _metrics(
        result, lambda name: _rank(name, TROUBLE_PARTS) if name.endswith("_per_s") else None, 1.0, 0.0
    )


def curve(spread: Spread) -> list[Point]:
    """The percentile curve, about evenly spaced where its axis is logarithmic.

    Its last point is the maximum. Empty without records, and when they cannot be read.
    """
    try:
        pairs = values(spread.hdr)
    except ValueError:
        return []
    total = sum(count for _, count in pairs)
    points: list[Point] = []
    place, passed = 0, 0
    for step in range(math.ceil(POINTS_A_DECADE * math.log10(total)) if total else 0):
        x = 10 ** (step / POINTS_A_DECADE)
        rank = max(math.ceil((1 - 1 / x) * total - 1e-9), 1)
        while passed + pairs[place][1] < rank:
            passed += pairs[place][1]
            place += 1
        points.append(_point(x, pairs[place][0]))
    if pairs:
        points.append(Point(float(total), 100.0, max(pairs[-1][0] / 1000, LEAST_MS)))
    return points


def ticks(least: float, most: float) -> list[float]:
    """Round numbers for a logarithmic axis, from one at or below `least` to one at or above `most`."""
    low, high = math.floor(math.log10(least) + 1e-9), math.ceil(math.log10(most) - 1e-9)
    steps = (1, 2, 5) if high - low <= 3 else (1,)
    found = [float(f"{step}e{power}") for power in range(low, high + 1) for step in steps]
    first = max((each for each in found if each <= least * (1 + 1e-9)), default=found[0])
    last = min((each for each in found if each >= most * (1 - 1e-9) and each > first), default=first * 10)
    return [each for each in found if first <= each <= last] or [first, last]


def has_gaps(course: Values) -> bool:
    """Whether a value stands alone, so that no line would lead to it."""
    padded = [None, *course, None]
    return any(
        here is not None and before is None and after is None
        for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    )


def _point(x: float, us: int) -> Point:
    return Point(round(x, 6), round(100 * (1 - 1 / x), 6), max(us / 1000, LEAST_MS))


def _a_second(interval: Interval, count: int) -> float | None:
    return round(count / interval.for_s, 3) if interval.for_s > 0 else None


def _metrics(
    result: Result, rank: Callable[[str], int | None], factor: float, absent: float | None
) -> dict[str, Values]:
    """`absent` stands where the server told others, and not this one."""
    names = {name for each in result.intervals if each.server for name in each.server.metrics}
    ranked = sorted((place, name) for name in names if (place := rank(name)) is not None)
    return {
        name: [
            None
            if each.server is None
            else round(each.server.metrics[name] * factor, 4)
            if name in each.server.metrics
            else absent
            for each in result.intervals
        ]
        for _, name in ranked[:MAX_METRICS]
    }


def _rank(name: str, parts: tuple[str, ...]) -> int | None:
    """Of whole words: a flag is no lag."""
    words = name.split("_")
    return next((place for place, part in enumerate(parts) if part in words), None)
