"""Token buckets at their edges, and under more keys than there is room for."""

import random

import pytest

from server.ratelimit import Buckets

START = 1_000_000.0


def taken(buckets: Buckets, key: str, now: float, times: int) -> int:
    return sum(buckets.take(key, now).granted for _ in range(times))


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = Buckets(burst=30, per_s=0.5, max_keys=10)

    at_once = taken(buckets, "a", START, 100)
    refused = buckets.take("a", START)
    just_before = buckets.take("a", START + 1.99)
    after = [buckets.take("a", START + 2).granted, buckets.take("a", START + 2).granted]

    assert at_once == 30
    assert not refused.granted
    assert refused.wait_s == pytest.approx(2.0)
    assert not just_before.granted
    assert just_before.wait_s == pytest.approx(0.01)
    assert after == [True, False]


@pytest.mark.parametrize("per_minute", [1, 3, 7, 10, 30, 59, 6000])
def test_the_wait_that_is_told_is_enough(per_minute: int) -> None:
    buckets = Buckets(burst=per_minute, per_s=per_minute / 60, max_keys=10)
    now = START + 1 / 3

    for _ in range(50):
        taken(buckets, "a", now, per_minute + 1)
        now += buckets.take("a", now).wait_s

        assert buckets.take("a", now).granted


def test_a_burst_of_one_gives_one() -> None:
    buckets = Buckets(burst=1, per_s=1.0, max_keys=10)

    assert taken(buckets, "a", START, 5) == 1
    assert taken(buckets, "a", START + 1, 5) == 1


def test_a_rested_bucket_is_full_and_no_fuller() -> None:
    buckets = Buckets(burst=5, per_s=1.0, max_keys=10)
    taken(buckets, "a", START, 5)

    assert taken(buckets, "a", START + 1e6, 50) == 5


def test_a_refusal_costs_nothing() -> None:
    buckets = Buckets(burst=2, per_s=1.0, max_keys=10)
    taken(buckets, "a", START, 1000)

    assert taken(buckets, "a", START + 1, 5) == 1


def test_keys_do_not_share() -> None:
    buckets = Buckets(burst=2, per_s=1.0, max_keys=10)

    assert [taken(buckets, key, START, 5) for key in ("a", "b", "c")] == [2, 2, 2]


def test_what_is_full_again_costs_no_memory() -> None:
    buckets = Buckets(burst=2, per_s=1.0, max_keys=1000)
    for number in range(500):
        buckets.take(f"key {number}", START)

    for _ in range(250):
        buckets.take("a", START + 1)

    assert len(buckets) == 1
    assert buckets.dropped == 0


def test_a_flood_of_fresh_keys_never_resets_an_exhausted_bucket() -> None:
    buckets = Buckets(burst=5, per_s=0.1, max_keys=100)
    taken(buckets, "mallory", START, 10)

    granted = sum(buckets.take(f"fresh {number}", START).granted for number in range(10_000))

    assert granted == 10_000
    assert not buckets.take("mallory", START).granted
    assert len(buckets) == 100
    assert buckets.dropped == 10_000 - 99


def test_the_fullest_gives_way() -> None:
    buckets = Buckets(burst=5, per_s=0.1, max_keys=3)
    for key, times in (("half", 3), ("low", 4), ("nearly full", 1)):
        taken(buckets, key, START, times)

    buckets.take("new", START)

    assert taken(buckets, "low", START, 9) == 1
    assert taken(buckets, "half", START, 9) == 2
    assert taken(buckets, "nearly full", START, 9) == 5
    assert buckets.dropped == 2


def test_where_all_are_exhausted_a_new_key_waits_for_the_first_token() -> None:
    buckets = Buckets(burst=1, per_s=0.1, max_keys=3)
    for key, at in (("a", START), ("b", START + 1), ("c", START + 2)):
        buckets.take(key, at)

    refused = buckets.take("new", START + 4)
    later = buckets.take("new", START + 10)

    assert not refused.granted
    assert refused.wait_s == pytest.approx(6.0)
    assert buckets.crowded_out == 1
    assert later.granted
    assert [buckets.take(key, START + 10).granted for key in ("b", "c")] == [False, False]


def test_one_refusal_per_period_is_news() -> None:
    buckets = Buckets(burst=1, per_s=0.001, max_keys=1, news_s=60)
    buckets.take("a", START)

    assert [buckets.take("a", START + at).news for at in (0, 0, 59, 60, 61, 120)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert [buckets.take(key, START + at).news for key, at in (("b", 0), ("c", 59), ("d", 60))] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(("burst", "per_s", "max_keys"), [(0, 1.0, 1), (1, 0.0, 1), (1, 1.0, 0)])
def test_a_limit_without_sense_is_refused(burst: int, per_s: float, max_keys: int) -> None:
    with pytest.raises(ValueError, match="burst"):
        Buckets(burst=burst, per_s=per_s, max_keys=max_keys)


@pytest.mark.parametrize("seed", range(20))
def test_no_key_ever_gets_more_than_its_burst_and_its_rate(seed: int) -> None:
    chance = random.Random(seed)
    buckets = Buckets(burst=4, per_s=0.5, max_keys=8)
    had: dict[str, list[float]] = {}
    now = START
    for _ in range(3000):
        now += chance.choice((0, 0, 0.1, 0.5, 3))
        key = str(chance.randrange(8))
        if buckets.take(key, now).granted:
            had.setdefault(key, []).append(now)

    # With room for every key nothing is forgotten, so each window keeps the bound.
    for times in had.values():
        for first in range(len(times) - 4):
            last = first + 4
            assert times[last] - times[first] >= (1 * 2.0) - 1e-3
    assert buckets.dropped == buckets.crowded_out == 0


@pytest.mark.parametrize("seed", range(20))
def test_it_stays_within_its_memory_whatever_comes(seed: int) -> None:
    chance = random.Random(seed)
    buckets = Buckets(burst=3, per_s=1.0, max_keys=16)
    now = START
    for _ in range(3000):
        now += chance.choice((0, 0, 0, 0.2))
        buckets.take(str(chance.randrange(40)), now)

        assert len(buckets) <= 16
        assert len(buckets._fullest) == len(buckets)
