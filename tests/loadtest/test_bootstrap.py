"""The bounds are as often right as they say, and an honest answer where nothing can be told."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.bootstrap import (
    REPLICATES,
    RESOLUTION,
    Statistic,
    block_length,
    bound,
    draws,
    percentile,
    quotient,
    student,
)

DRAWN = (draws(20, seed=1), draws(20, seed=2))


def noisy(random: Random, seconds: int, level: float, noise: float, memory: float) -> list[float]:
    """A figure a second, of which each has something of the last (an autoregressive process)."""
    wander, found = random.gauss(0, noise), []
    for _ in range(seconds):
        wander = memory * wander + math.sqrt(1 - memory**2) * random.gauss(0, noise)
        found.append(level * math.exp(wander))
    return found


def mean(figures: list[float]) -> Statistic:
    return quotient(figures, [1] * len(figures))


def coverage(seconds: int, memory: float, ratio: float, trials: int = 150) -> float:
    """In how many of the trials the bound holds the ratio that was planted."""
    random = Random(11)
    drawn = draws(seconds, seed=1), draws(seconds, seed=2)
    right = 0
    for _ in range(trials):
        a = mean(noisy(random, seconds, 10.0, 0.1, memory))
        b = mean(noisy(random, seconds, 10.0 * ratio, 0.1, memory))
        found = bound(a, drawn[0], b, drawn[1])
        right += found is not None and found[0] <= ratio <= found[1]
    return right / trials


@pytest.mark.parametrize(
    ("seconds", "memory", "ratio"),
    [(5, 0.0, 1.0), (10, 0.0, 1.3), (30, 0.0, 1.0), (30, 0.5, 1.0), (60, 0.5, 1.3)],
)
def test_a_bound_is_about_as_often_right_as_it_says(seconds: int, memory: float, ratio: float) -> None:
    assert 0.9 <= coverage(seconds, memory, ratio) <= 0.995


def test_slow_stretches_that_come_together_widen_the_bound() -> None:
    alternating = [1.0, 2.0] * 15
    together = [1.0] * 15 + [2.0] * 15
    drawn = draws(30, seed=1)
    still = mean([1.0] * 30)

    narrow, wide = (bound(still, drawn, mean(each), drawn) for each in (alternating, together))

    assert narrow is not None
    assert wide is not None
    assert math.log(wide[1] / wide[0]) > 3 * math.log(narrow[1] / narrow[0])


def percentile_coverage(percent: float) -> float:
    random = Random(3)
    drawn = draws(12, seed=1), draws(12, seed=2)
    right = 0
    for _ in range(100):
        sides = [
            percentile(
                [
                    sorted(Counter(round(level * random.lognormvariate(8, 0.5)) for _ in range(60)).items())
                    for level in noisy(random, 12, 1.0, 0.05, 0.0)
                ],
                percent,
            )
            for _ in range(2)
        ]
        found = bound(sides[0], drawn[0], sides[1], drawn[1], grain=1)
        right += found is not None and found[0] <= 1 <= found[1]
    return right / 100


@pytest.mark.parametrize("percent", [50.0, 98.0])
def test_the_bound_of_a_percentile_too(percent: float) -> None:
    assert 0.9 <= percentile_coverage(percent) <= 1.0


def test_runs_without_variation_are_told_apart_beyond_the_histograms_precision() -> None:
    still, same, other = ([(value, 100)] for value in (10_000, 10_005, 10_100))

    near, far = (
        bound(percentile([still] * 20, 50), DRAWN[0], percentile([each] * 20, 50), DRAWN[1])
        for each in (same, other)
    )

    assert near == pytest.approx((1.0005 * math.exp(-RESOLUTION), 1.0005 * math.exp(RESOLUTION)))
    assert far == pytest.approx((1.01 * math.exp(-RESOLUTION), 1.01 * math.exp(RESOLUTION)))


def test_small_values_are_as_coarse_as_their_grain() -> None:
    found = bound(mean([40.0] * 20), DRAWN[0], mean([41.0] * 20), DRAWN[1], grain=1)

    assert found is not None
    assert found[0] < 1 < found[1]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.0] * 20, [1.0] * 20),
        ([1.0] * 20, [0.0] * 20),
        ([0.0] * 19 + [5.0], [1.0] * 20),
    ],
)
def test_what_is_zero_or_too_rare_has_no_bound(a: list[float], b: list[float]) -> None:
    drawn = draws(20, seed=1)

    found = bound(mean(a), drawn, mean(b), drawn)

    assert found is None or found[1] / found[0] > 2


def test_what_was_never_seen_has_no_bound() -> None:
    nothing = percentile([[]] * 20, 99)

    assert nothing([1] * 20) is None
    assert bound(nothing, DRAWN[0], nothing, DRAWN[1]) is None
    assert quotient([1.0], [0.0])([1]) is None


@given(
    st.lists(st.lists(st.integers(0, 50), max_size=10), min_size=1, max_size=6),
    st.sampled_from([1.0, 50.0, 90.0, 99.0, 100.0]),
    st.data(),
)
def test_a_percentile_is_that_of_all_values_that_were_drawn(
    stretches: list[list[int]], percent: float, data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(stretches), max_size=len(stretches)))
    drawn = sorted(value for each, weight in zip(stretches, weights, strict=True) for value in each * weight)

    found = percentile([sorted(Counter(each).items()) for each in stretches], percent)(weights)

    assert found == (drawn[math.ceil(len(drawn) * percent / 100) - 1] if drawn else None)


@pytest.mark.parametrize("stretches", [5, 8, 30, 60])
def test_each_draw_has_as_many_stretches_as_the_run(stretches: int) -> None:
    drawn = draws(stretches, seed=7)

    assert {sum(weights) for weights in drawn.weights} == {stretches}
    assert {len(weights) for weights in drawn.weights} == {stretches}
    assert len(drawn.weights) == REPLICATES
    shares = [sum(weights[place] for weights in drawn.weights) / REPLICATES for place in range(stretches)]
    assert shares == pytest.approx([1] * stretches, abs=0.2)


def test_a_seed_repeats_its_draws() -> None:
    assert draws(20, seed=1) == DRAWN[0] != DRAWN[1]


@pytest.mark.parametrize(("stretches", "length"), [(5, 1), (8, 2), (10, 2), (20, 5), (30, 6), (60, 8)])
def test_blocks_grow_with_the_run(stretches: int, length: int) -> None:
    assert block_length(stretches) == length
    assert draws(stretches, seed=1).blocks >= 4


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(3, 3.182), (4, 2.776), (6, 2.447), (10, 2.228), (30, 2.042), (1e9, 1.960)]
)
def test_student_s_quantiles_are_those_of_the_tables(freedom: float, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, abs=0.01)
