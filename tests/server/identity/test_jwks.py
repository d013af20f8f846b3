"""The key cache against a controlled clock and an issuer that answers as the test wants."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from server.identity.failures import KeysUnavailable
from server.identity.jwks import MAX_WAITERS, FetchFailed, JwksCache
from server.ids import RandomIds
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.issuer import jwk, jwks, rsa_key

ONE = jwk(rsa_key(), "one")


TWO = jwk(rsa_key(number=1), "two")


class Provider:
    """An issuer whose answer and whose slowness the test decides."""

    def __init__(self) -> None:
        self.document: bytes | None = jwks(ONE)
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def fetch(self) -> bytes:
        self.asked += 1
        document = self.document
        await self.gate.wait()
        if document is None:
            raise FetchFailed("down")
        return document


class MiddleIds(RandomIds):
    """No jitter: each random number is the middle one."""

    def jitter(self) -> float:
        return 0.5


@dataclass
class Bench:
    provider: Provider = field(default_factory=Provider)
    clock: ManualClock = field(default_factory=ManualClock)
    tasks: TaskOwner = field(default_factory=lambda: TaskOwner("jwks"))

    def __post_init__(self) -> None:
        self.cache = JwksCache(
            "https://issuer.example",
            self.provider.fetch,
            denied=frozenset(),
            clock=self.clock,
            ids=MiddleIds("test"),
            tasks=self.tasks,
        )

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def has(self, kid: str) -> bool:
        return await self.cache.key(kid) is not None


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
    assert bench.cache.failures == 1


async def test_waiters_are_bounded(bench: Bench) -> None:
    bench.provider.gate.clear()
    callers = [asyncio.ensure_future(bench.has("one")) for _ in range(MAX_WAITERS)]  # noqa: TID251 (a test's own)
    await bench.settle()

    with pytest.raises(KeysUnavailable):
        await bench.has("one")
    bench.provider.gate.set()
    assert all(await asyncio.gather(*callers))
