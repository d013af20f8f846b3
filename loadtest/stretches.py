"""A run's measured time cut into stretches, and its figures as statistics over them, for the comparison.

Intervals are put together until there are few enough stretches to draw from; their histograms are kept whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from loadtest.bootstrap import (
    MAX_STRETCHES,
    MIN_STRETCHES,
    Draws,
    Statistic,
    draws,
    percentile,
    quotient,
)
from loadtest.failures import SwarmError
from loadtest.histogram import Histogram, values
from loadtest.measured import measured
from loadtest.result import Interval, Result

Counted = list[tuple[int, int]]
"""Pairs of (microseconds, how many), ascending."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, cut. `draws` is None if there are too few stretches to say how sure a figure is."""

    result: Result
    intervals: int
    stretches: list[list[Interval]]
    draws: Draws | None


@dataclass(frozen=True, slots=True)
class Side:
    """One figure of one run. `count` is how many latencies it is made of, 0 if it is made of none."""

    value: float
    statistic: Statistic
    draws: Draws | None
    count: int = 0


def cut(result: Result, seed: int) -> Run:
    """Cut it into stretches of nearly as many intervals each."""
    found = measured(result)
    pieces = min(len(found), MAX_STRETCHES)
    cuts = [number * len(found) // pieces for number in range(pieces + 1)] if pieces else []
    stretches = [found[begin:end] for begin, end in pairwise(cuts)]
    return Run(result, len(found), stretches, draws(pieces, seed) if pieces >= MIN_STRETCHES else None)


def latencies(run: Run, operation: str) -> list[Counted]:
    """Of each stretch; nothing if the run has none in its measured time.

    Raises SwarmError for a histogram that cannot be read.
    """
    found = [
        _together([each.response[operation].hdr for each in stretch if operation in each.response])
        for stretch in run.stretches
    ]
    return found if any(found) else []


def percentile_of(run: Run, counted: Sequence[Counted], percent: float) -> Side:
    """Milliseconds, of latencies that are not empty."""
    statistic = percentile(counted, percent)
    value = statistic([1] * len(counted)) or 0.0
    return Side(value / 1000, statistic, run.draws, _count(counted))


def mean_of(run: Run, counted: Sequence[Counted]) -> Side:
    """Milliseconds, of latencies that are not empty."""
    sums = [sum(value * count for value, count in each) for each in counted]
    counts = [sum(count for _, count in each) for each in counted]
    return Side(sum(sums) / sum(counts) / 1000, quotient(sums, counts), run.draws, sum(counts))


def delivered(run: Run) -> Side | None:
    """Deliveries a second; None if nothing was measured."""
    counts = [_deliveries(stretch) for stretch in run.stretches]
    seconds = [sum(each.for_s for each in stretch) for stretch in run.stretches]
    return Side(sum(counts) / sum(seconds), quotient(counts, seconds), run.draws) if seconds else None


def cost(run: Run) -> Side | None:
    """Microseconds of the server's processors a delivery; None if its use, or any delivery, is unknown.

    Where the use is unknown, deliveries do not count either.
    """
    known = [[each for each in stretch if each.server] for stretch in run.stretches]
    counts = [_deliveries(stretch) for stretch in known]
    used = [sum(1e6 * each.for_s * each.server.cpu for each in stretch if each.server) for stretch in known]
    return Side(sum(used) / sum(counts), quotient(used, counts), run.draws) if sum(counts) else None


def _deliveries(intervals: list[Interval]) -> int:
    return sum(each.counts.get("delivered", 0) for each in intervals)


def _count(counted: Sequence[Counted]) -> int:
    return sum(count for each in counted for _, count in each)


def _together(encoded: list[str]) -> Counted:
    try:
        if len(encoded) < 2:
            return values("".join(encoded))
        together = Histogram()
        for each in encoded:
            together.add(each)
        return values(together.take())
    except ValueError as error:
        raise SwarmError(f"a result has a histogram that cannot be read: {error}") from None
