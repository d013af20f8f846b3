"""How sure a ratio of two runs' figures is, from how each run varied within itself.

A circular block bootstrap (Politis and Romano, 1992): a run's stretches of time are drawn anew in blocks of
neighbours, because a slow second is seldom alone. The spread of the figure's logarithm over the draws,
corrected for the few blocks there are, gives a bound by Student's distribution with Welch's degrees of
freedom.

Pure and seeded. It knows nothing of results: a statistic is a function of how often each stretch was drawn.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from random import Random
from statistics import NormalDist, pvariance
from typing import Final

Weights = Sequence[int]
"""How often each stretch was drawn."""
Statistic = Callable[[Weights], float | None]
"""A figure of the run that was drawn; None if it has nothing to look at."""

REPLICATES: Final = 1000
LEVEL: Final = 0.95
MIN_STRETCHES: Final = 5
MAX_STRETCHES: Final = 60
"""More would cost time and tell no more: neighbours are drawn together anyway."""
RESOLUTION: Final = 0.001
"""Histograms keep three digits: what differs by less is not told apart."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Runs drawn anew from one run."""

    weights: tuple[tuple[int, ...], ...]
    blocks: float
    """How many independent pieces the run has."""


def draws(stretches: int, seed: int) -> Draws:
    """Draw `REPLICATES` runs of as many stretches."""
    length = block_length(stretches)
    random = Random(seed)
    return Draws(tuple(_draw(stretches, length, random) for _ in range(REPLICATES)), stretches / length)


def block_length(stretches: int) -> int:
    """Twice the usual cube root, for servers remember a bad second; but four blocks at least must be left."""
    return max(1, min(round(2 * math.cbrt(stretches)), stretches // 4))


def percentile(stretches: Sequence[Sequence[tuple[int, int]]], percent: float) -> Statistic:
    """Of all values together; each stretch has pairs of (value, how many)."""
    values = sorted({value for stretch in stretches for value, _ in stretch})
    below: list[tuple[int, ...]] = list(zip(*(_up_to(values, stretch) for stretch in stretches), strict=True))
    totals: Sequence[int] = below[-1] if below else ()

    def statistic(weights: Weights) -> float | None:
        total = _weighed(weights, totals)
        if not total:
            return None
        rank = max(1, math.ceil(total * percent / 100 - 1e-9))
        return float(values[bisect_left(below, float(rank), key=lambda column: _weighed(weights, column))])

    return statistic


def quotient(above: Sequence[float], below: Sequence[float]) -> Statistic:
    """A sum over the stretches divided by another: a mean, a rate, a cost."""

    def statistic(weights: Weights) -> float | None:
        divisor = _weighed(weights, below)
        return _weighed(weights, above) / divisor if divisor else None

    return statistic


def bound(
    a: Statistic, draws_a: Draws, b: Statistic, draws_b: Draws, grain: float = 0.0
) -> tuple[float, float] | None:
    """Between which ratios b / a lies at `LEVEL`; None when that cannot be told.

    It cannot when either figure is zero, or has nothing to look at, in the run or in half of those drawn.
    `grain` is the least step in which the figures are told.
    """
    found_a, found_b = _undrawn(a, draws_a), _undrawn(b, draws_b)
    variance_a, variance_b = _variance(a, draws_a), _variance(b, draws_b)
    if not found_a or not found_b or variance_a is None or variance_b is None:
        return None
    variance = variance_a + variance_b
    scale = variance_a**2 / (draws_a.blocks - 1) + variance_b**2 / (draws_b.blocks - 1)
    error = student(variance**2 / scale) * math.sqrt(variance) if scale else 0.0
    reach = error + max(RESOLUTION, grain / found_a, grain / found_b)
    middle = math.log(found_b / found_a)
    return math.exp(middle - reach), math.exp(middle + reach)


def student(freedom: float) -> float:
    """The two-sided quantile of Student's distribution at `LEVEL`, good to a hundredth from 3 degrees on.

    By the expansion of Fisher and Cornish (Abramowitz and Stegun, 26.7.5).
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def _draw(stretches: int, length: int, random: Random) -> tuple[int, ...]:
    weights = [0] * stretches
    for drawn in range(0, stretches, length):
        first = random.randrange(stretches)
        for place in range(first, first + min(length, stretches - drawn)):
            weights[place % stretches] += 1
    return tuple(weights)


def _undrawn(statistic: Statistic, drawn: Draws) -> float | None:
    return statistic([1] * len(drawn.weights[0]))


def _variance(statistic: Statistic, drawn: Draws) -> float | None:
    """Of the figure's logarithm; None if half of the draws, or more, have none."""
    found = [math.log(value) for weights in drawn.weights if (value := statistic(weights))]
    if 2 * len(found) <= len(drawn.weights):
        return None
    return pvariance(found) * drawn.blocks / (drawn.blocks - 1)


def _up_to(values: Sequence[int], stretch: Sequence[tuple[int, int]]) -> list[int]:
    """For each of the values, how many of the stretch are not above it."""
    counts = dict(stretch)
    return list(accumulate(counts.get(value, 0) for value in values))


def _weighed(weights: Weights, column: Sequence[float]) -> float:
    return float(sum(map(mul, weights, column)))
