"""The key cache against a controlled clock and an issuer that answers as the test wants."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from server.identity import jwks_cache
from server.identity.failures import KeysUnavailable
from server.identity.jwks_cache import MAX_WAITERS, Document, Rules
from server.identity.unknown_keys import REMEMBERED
from tests.support.issuer import jwks
from tests.support.jwks_bench import ONE, TWO, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.tasks.cancel_all()


async def test_a_hundred_cold_callers_cause_one_fetch(bench: Bench) -> None:
    bench.provider.gate.clear()
    callers = [asyncio.ensure_future(bench.has("one")) for _ in range(100)]  # noqa: TID251 (a test's own tasks)
    await bench.settle()
    bench.provider.gate.set()

    assert all(await asyncio.gather(*callers))
    assert bench.provider.asked == 1


async def test_an_unknown_key_asked_of_a_cold_cache_costs_one_fetch(bench: Bench) -> None:
    assert not await bench.has("made-up")
    assert bench.provider.asked == 1


async def test_a_cancelled_caller_does_not_end_the_fetch_for_the_others(bench: Bench) -> None:
    bench.provider.gate.clear()
    first = asyncio.ensure_future(bench.has("one"))  # noqa: TID251 (a test's own task)
    second = asyncio.ensure_future(bench.has("one"))  # noqa: TID251 (a test's own task)
    await bench.settle()
    first.cancel()
    await bench.settle()
    bench.provider.gate.set()

    assert await second
    assert bench.provider.asked == 1


async def test_a_key_that_was_rotated_right_after_a_fetch_is_found_at_once(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = jwks(ONE, TWO)

    assert await bench.has("two")
    assert bench.provider.asked == 2


async def test_a_key_published_while_a_fetch_runs_is_found_by_the_next_fetch(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.gate.clear()
    early = asyncio.ensure_future(bench.has("made-up"))  # noqa: TID251 (a test's own task)
    await bench.settle()
    bench.provider.document = jwks(ONE, TWO)
    late = asyncio.ensure_future(bench.has("two"))  # noqa: TID251 (a test's own task)
    await bench.settle()
    bench.provider.gate.set()

    assert (await early, await late) == (False, True)


async def test_made_up_key_ids_cannot_hammer_the_issuer(bench: Bench) -> None:
    assert await bench.has("one")

    for index in range(1000):
        assert not await bench.has(f"made-up-{index}")
    flood = bench.provider.asked
    bench.provider.document = jwks(ONE, TWO)
    during = await bench.has("two")
    bench.clock.advance(10)
    after = await bench.has("two")

    assert flood == 3
    assert (during, after) == (False, True)


async def test_old_keys_are_refreshed_behind_the_callers_back(bench: Bench) -> None:
    assert await bench.has("one")
    bench.clock.advance(601)
    bench.provider.document = jwks(TWO)
    bench.provider.gate.clear()

    during = await bench.has("one")
    await bench.settle()
    bench.provider.gate.set()
    await bench.settle()

    assert during
    assert await bench.has("two")
    assert bench.provider.asked == 2


async def test_known_keys_are_served_through_an_outage_until_they_are_a_day_old(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = None
    bench.clock.advance(24 * 3600 - 1)
    served = await bench.has("one")
    await bench.settle()
    bench.clock.advance(120)

    assert served
    with pytest.raises(KeysUnavailable):
        await bench.has("one")


async def test_without_keys_an_outage_is_told_apart_from_a_bad_token_and_backed_off(bench: Bench) -> None:
    bench.provider.document = None

    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            await bench.has("one")
    once = bench.provider.asked
    waits = []
    for _ in range(8):
        with pytest.raises(KeysUnavailable) as unavailable:
            await bench.has("one")
        waits.append(unavailable.value.retry_after_s)
        bench.clock.advance(unavailable.value.retry_after_s)
        with pytest.raises(KeysUnavailable):
            await bench.has("one")
    bench.provider.document = jwks(ONE)
    bench.clock.advance(60)

    assert once == 1
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert await bench.has("one")


async def test_a_new_key_that_could_not_be_looked_up_is_unavailable_and_not_unknown(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = None

    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            await bench.has("two")
    assert await bench.has("one")
    assert bench.provider.asked == 2


async def test_an_unusable_set_keeps_the_old_keys(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = b'{"keys":[]}'
    bench.clock.advance(601)

    assert await bench.has("one")
    await bench.settle()
    assert await bench.has("one")
    assert bench.cache.counts.failures == 1


async def test_waiters_are_bounded(bench: Bench) -> None:
    bench.provider.gate.clear()
    callers = [asyncio.ensure_future(bench.has("one")) for _ in range(MAX_WAITERS)]  # noqa: TID251 (a test's own)
    await bench.settle()

    with pytest.raises(KeysUnavailable):
        await bench.has("one")
    bench.provider.gate.set()
    assert all(await asyncio.gather(*callers))


async def test_a_caller_waits_for_a_limited_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks_cache, "WAIT_LIMIT_S", 0.01)
    bench.provider.gate.clear()

    with pytest.raises(KeysUnavailable):
        await bench.has("one")
    bench.provider.gate.set()
    await bench.settle()

    assert await bench.has("one")
    assert (bench.provider.asked, bench.cache.counts.turned_away) == (1, 1)


async def test_an_unknown_key_is_remembered_for_a_minute(bench: Bench) -> None:
    assert await bench.has("one")
    assert not await bench.has("made-up")
    bench.clock.advance(59)
    assert not await bench.has("made-up")
    remembered = (bench.provider.asked, bench.cache.counts.remembered)
    bench.clock.advance(1)
    assert not await bench.has("made-up")

    assert remembered == (2, 1)
    assert bench.provider.asked == 3


async def test_a_key_id_that_a_failed_fetch_looked_for_is_not_remembered(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = None
    with pytest.raises(KeysUnavailable):
        await bench.has("two")
    bench.provider.document = jwks(ONE, TWO)
    bench.clock.advance(2)

    assert await bench.has("two")


async def test_a_refresh_clears_what_was_remembered_as_unknown(bench: Bench) -> None:
    assert await bench.has("one")
    assert not await bench.has("made-up")
    before = len(bench.cache._unknown)
    bench.cache.refresh()
    await bench.tasks.idle()

    assert (before, len(bench.cache._unknown)) == (1, 0)


async def test_what_is_not_asked_for_lack_of_budget_is_not_remembered(bench: Bench) -> None:
    assert await bench.has("one")
    for index in range(5):
        assert not await bench.has(f"made-up-{index}")
    bench.provider.document = jwks(ONE, TWO)
    assert not await bench.has("two")
    bench.clock.advance(10)

    assert await bench.has("two")
    assert bench.cache.counts.not_asked == 4


async def test_the_memory_of_unknown_keys_is_bounded(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.gate.clear()
    callers = [asyncio.ensure_future(bench.has(f"x{i}")) for i in range(REMEMBERED + 10)]  # noqa: TID251 (a test's)
    await bench.settle()
    bench.provider.gate.set()

    assert not any(await asyncio.gather(*callers))
    assert bench.provider.asked == 2
    assert len(bench.cache._unknown) == REMEMBERED


async def test_the_budget_for_unknown_keys_is_not_charged_while_backing_off(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = None
    for _ in range(20):
        with pytest.raises(KeysUnavailable):
            await bench.has("two")
    bench.provider.document = jwks(ONE, TWO)
    bench.clock.advance(1)

    assert await bench.has("two")
    assert bench.provider.asked == 3


async def test_the_timed_refresh_does_not_use_the_budget_for_unknown_keys(bench: Bench) -> None:
    assert await bench.has("one")
    for index in range(5):
        assert not await bench.has(f"made-up-{index}")
    spent = bench.provider.asked
    bench.clock.advance(9)
    bench.cache.refresh()
    await bench.settle()
    bench.provider.document = jwks(ONE, TWO)

    assert bench.provider.asked == spent + 1
    assert not await bench.has("two")


@pytest.mark.parametrize(
    ("max_age_s", "fresh_for_s"), [(None, 600), (300, 285), (10, 60), (0, 60), (86_400, 600)]
)
async def test_the_issuer_may_shorten_the_lifetime_within_bounds(
    bench: Bench, max_age_s: float | None, fresh_for_s: float
) -> None:
    bench.provider.max_age_s = max_age_s
    assert await bench.has("one")

    bench.clock.advance(fresh_for_s)
    bench.cache.refresh_if_due()
    await bench.settle()
    within = bench.provider.asked
    bench.clock.advance(1)
    bench.cache.refresh_if_due()
    await bench.settle()

    assert (within, bench.provider.asked) == (1, 2)


async def test_the_stale_limit_is_a_setting() -> None:
    short = Bench(rules=Rules(stale_limit_s=120))
    assert await short.has("one")
    short.provider.document = None
    short.clock.advance(120)
    assert await short.has("one")
    await short.settle()
    short.clock.advance(1)

    with pytest.raises(KeysUnavailable):
        await short.has("one")
    assert (len(short.cache), short.cache.age_s) == (0, None)


async def test_an_outage_is_told_once_however_many_players_sign_in(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.document = None
    bench.clock.advance(601)
    with capture_logs() as told:
        for _ in range(50):
            assert await bench.has("one")
            await bench.settle()

    assert [event["event"] for event in told] == ["jwks_fetch_failed", "jwks_stale_served"]
    assert (bench.cache.counts.stale_serves, bench.cache.age_s) == (49, 601)


async def test_the_end_of_an_outage_makes_the_next_one_news(bench: Bench) -> None:
    assert await bench.has("one")
    told = []
    for _ in range(2):
        bench.provider.document = None
        bench.clock.advance(661)
        with capture_logs() as events:
            for _ in range(3):
                assert await bench.has("one")
                await bench.settle()
        told.append([event["event"] for event in events].count("jwks_stale_served"))
        bench.provider.document = jwks(ONE)
        bench.clock.advance(60)
        assert await bench.has("one")
        await bench.settle()

    assert told == [1, 1]


async def test_a_flood_is_told_once_a_minute(bench: Bench) -> None:
    assert await bench.has("one")

    def floods(events: list[object]) -> int:
        return str(events).count("unknown_key_flood")

    with capture_logs() as told:
        for index in range(100):
            assert not await bench.has(f"made-up-{index}")
    with capture_logs() as told_later:
        bench.clock.advance(60)
        for index in range(100, 200):
            assert not await bench.has(f"made-up-{index}")

    assert (floods(list(told)), floods(list(told_later))) == (1, 1)
    assert "made-up" not in str(told)


async def test_a_fault_in_fetching_is_an_outage_and_backed_off(bench: Bench) -> None:
    async def broken() -> Document:
        bench.provider.asked += 1
        raise RuntimeError("a fault of ours")

    bench.cache._fetch = broken
    with capture_logs() as told:
        for _ in range(3):
            with pytest.raises(KeysUnavailable):
                await bench.has("one")

    assert bench.provider.asked == 1
    assert [event["event"] for event in told] == ["task_failed"]


async def test_a_caller_woken_late_does_not_take_a_younger_fetch_for_its_answer(bench: Bench) -> None:
    assert await bench.has("one")
    bench.provider.gate.clear()
    first = asyncio.ensure_future(bench.has("made-up"))  # noqa: TID251 (a test's own task)
    await bench.settle()  # a fetch runs, and has read what it will answer
    late = [asyncio.ensure_future(bench.has(f"x{i}")) for i in range(60)]  # noqa: TID251 (a test's own tasks)
    rotated = asyncio.ensure_future(bench.has("two"))  # noqa: TID251 (a test's own task)
    await bench.settle()
    bench.provider.document = jwks(ONE, TWO)
    bench.provider.gate.set()
    bench.provider.gate.clear()  # that fetch ends; the next one hangs while the last callers are woken
    for _ in range(4):
        await bench.settle()
    asked, early = bench.provider.asked, rotated.done()
    bench.provider.gate.set()

    assert (asked, early) == (3, False)
    assert not any(await asyncio.gather(first, *late))
    assert await rotated
