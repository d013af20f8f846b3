"""The key cache, with its real HTTP client, against an issuer in every kind of trouble.

The clock is the test's. Each test also shows that nothing holds up the event loop: no turn of it may use more
than 20 ms of CPU time.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from server.identity import base64url, verify
from server.identity.failures import KeysUnavailable
from server.identity.jwks import Jwks
from server.identity.jwks_cache import JwksCache
from server.identity.unknown_keys import BURST
from server.ids import RandomIds
from server.sections import IssuerSettings
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.inprocess import until
from tests.support.issuer import CLIENT, ISSUER, jwk, jwks, rsa_key, token
from tests.support.keyserver import KeyServer, page
from tests.support.looplag import loop_lag

LAG_LIMIT_S = 0.020
ARRIVING_PER_TURN = 20
ONE, TWO = jwk(rsa_key(), "one"), jwk(rsa_key(number=1), "two")
GOOD = page(jwks(ONE))
FOUND, UNKNOWN, UNAVAILABLE = "found", "unknown", "unavailable"


@dataclass
class Chaos:
    """An issuer in trouble, and our keys of it."""

    issuer: KeyServer
    clock: ManualClock
    keys: Jwks

    @property
    def cache(self) -> JwksCache:
        return self.keys.caches[ISSUER]

    async def ask(self, kid: str) -> str:
        try:
            return UNKNOWN if await self.keys.key(ISSUER, kid) is None else FOUND
        except KeysUnavailable:
            return UNAVAILABLE

    async def quiet(self) -> None:
        """Wait until no fetch runs."""
        await until(lambda: self.cache._fetching is None)


def settings(url: str) -> IssuerSettings:
    return IssuerSettings(issuer=ISSUER, jwks_url=url, client_ids=(CLIENT,))


@pytest.fixture
async def issuer() -> AsyncIterator[KeyServer]:
    issuer = KeyServer()
    await issuer.start()
    issuer.says(GOOD)
    yield issuer
    await issuer.stop()


@asynccontextmanager
async def opened(issuer: KeyServer, cache_dir: str = "") -> AsyncIterator[Chaos]:
    clock = ManualClock()
    keys = Jwks(
        [settings(issuer.url)],
        production=False,
        clock=clock,
        ids=RandomIds("test"),
        tasks=TaskOwner("jwks"),
        cache_dir=cache_dir,
    )
    with loop_lag() as lag:
        await keys.start()
        yield Chaos(issuer, clock, keys)
        await keys.close()
    assert lag.longest_s < LAG_LIMIT_S


@pytest.fixture
async def warm(issuer: KeyServer) -> AsyncIterator[Chaos]:
    """Keys that were fetched once, from an issuer that is well."""
    async with opened(issuer) as chaos:
        assert await chaos.ask("one") == FOUND
        yield chaos


async def crowd(calls: Iterable[Awaitable[str]]) -> list[str]:
    """All answers. Callers arrive a few per turn, as they do from sockets: making them is no work of ours."""
    tasks = []
    for number, call in enumerate(calls):
        tasks.append(asyncio.ensure_future(call))  # noqa: TID251 (a test's own task)
        if number % ARRIVING_PER_TURN == 0:
            await asyncio.sleep(0)
    return [await task for task in tasks]


# ---- the herd, the flood, the rotation


async def test_a_cold_herd_of_a_thousand_players_causes_one_fetch(issuer: KeyServer) -> None:
    issuer.gate.clear()
    tokens = [token(ManualClock().wall(), kid="one", sub=f"player-{number}") for number in range(1000)]
    async with opened(issuer) as chaos:
        configured = {ISSUER: settings(issuer.url)}

        async def sign_in(id_token: str) -> str:
            parsed = verify.parse(id_token, configured)
            key = await chaos.keys.key(ISSUER, parsed.kid)
            return verify.check(parsed, key, chaos.clock.wall()).subject

        herd = asyncio.ensure_future(crowd(map(sign_in, tokens)))  # noqa: TID251 (a test's own task)
        await until(lambda: len(chaos.cache._waiters) == 1000)
        issuer.gate.set()

        assert await herd == [f"player-{number}" for number in range(1000)]
    assert issuer.requests == 1


async def test_ten_thousand_unknown_keys_cost_no_more_than_the_budget(warm: Chaos) -> None:
    answers = await crowd(warm.ask(f"made-up-{number}") for number in range(10_000))

    assert FOUND not in answers
    assert 1 < warm.issuer.requests <= 1 + BURST
    assert await warm.ask("one") == FOUND


async def test_a_key_rotated_right_after_a_refresh_is_found_at_once(warm: Chaos) -> None:
    warm.issuer.says(page(jwks(TWO, ONE)))

    assert await warm.ask("two") == FOUND
    assert warm.issuer.requests == 2


async def test_a_key_rotated_during_a_flood_is_found_within_one_refill(warm: Chaos) -> None:
    await crowd(warm.ask(f"made-up-{number}") for number in range(500))
    warm.issuer.says(page(jwks(TWO, ONE)))
    at_first = await warm.ask("two")
    warm.clock.advance(10)
    # The flood goes on, and its ids come first: whoever takes the token, the fetch is for all.
    answers = await crowd([*(warm.ask(f"more-{number}") for number in range(500)), warm.ask("two")])

    assert (at_first, answers[-1]) == (UNKNOWN, FOUND)
    assert warm.issuer.requests == 1 + BURST + 1


async def test_a_key_that_the_issuer_removed_is_gone_with_the_next_refresh(warm: Chaos) -> None:
    warm.issuer.says(page(jwks(TWO)))
    warm.clock.advance(661)
    assert await warm.ask("one") == FOUND  # served while the refresh runs
    await warm.quiet()

    assert await warm.ask("one") == UNKNOWN
    assert await warm.ask("two") == FOUND


# ---- the outage


async def test_an_outage_refuses_nobody_whose_key_is_known(warm: Chaos) -> None:
    warm.issuer.says(page(b"down", "503 Service Unavailable"))
    warm.clock.advance(661)
    for _ in range(20):
        assert await crowd(warm.ask("one") for _ in range(50)) == [FOUND] * 50
        await warm.quiet()

    assert warm.issuer.requests == 2
    assert warm.cache.counts.stale_serves > 900


async def test_without_keys_an_outage_is_told_at_once_and_asked_once_per_step(issuer: KeyServer) -> None:
    issuer.says(page(b"down", "503 Service Unavailable"))
    async with opened(issuer) as chaos:
        asked, waits = [], []
        for _ in range(8):
            assert await crowd(chaos.ask("one") for _ in range(50)) == [UNAVAILABLE] * 50
            asked.append(issuer.requests)
            with pytest.raises(KeysUnavailable) as unavailable:
                await chaos.keys.key(ISSUER, "one")
            waits.append(unavailable.value.retry_after_s)
            chaos.clock.advance(waits[-1] + 1)
        issuer.says(GOOD)

        assert await chaos.ask("one") == FOUND
    assert asked == list(range(1, 9))
    assert waits[-1] >= 45
    assert max(waits) <= 75


async def test_a_new_key_is_not_called_unknown_while_the_issuer_is_down(warm: Chaos) -> None:
    warm.issuer.says(page(b"down", "503 Service Unavailable"))
    answers = await crowd(warm.ask("two") for _ in range(200))

    assert answers == [UNAVAILABLE] * 200
    assert warm.issuer.requests == 2


# ---- answers that are no key set


def drip(interval_s: float) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """A good answer, byte by byte, slower than anyone waits."""

    async def script(writer: asyncio.StreamWriter) -> None:
        for byte in GOOD:
            if writer.is_closing():
                return
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(interval_s)

    return script


async def fifty_megabytes(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n")
    for _ in range(800):
        writer.write(b" " * 65_536)
        await writer.drain()
    raise AssertionError("all of it was read")


async def endless_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-Padding: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.write(GOOD[: len(GOOD) // 2])
    await writer.drain()
    writer.transport.abort()


def numbers(count: int) -> bytes:
    """The most values that fit into a document, which is what makes reading it slow."""
    return b'{"keys":[' + b",".join([b"0"] * count) + b"]}"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN: dict[str, bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = {
    "slow drip": drip(0.01),
    "50 MB": fifty_megabytes,
    "endless head": endless_head,
    "connection reset": reset,
    "closed without a word": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "redirect": page(b"", "302 Found", Location="/elsewhere"),
    "permanent redirect": page(GOOD, "308 Permanent Redirect", Location="http://127.0.0.1:1/jwks"),
    "error": page(jwks(ONE), "500 Internal Server Error"),
    "not modified": page(b"", "304 Not Modified"),
    "empty body": page(b""),
    "empty set": page(b'{"keys":[]}'),
    "no set": page(b"{}"),
    "malformed JSON": page(jwks(ONE)[:-1]),
    "keys named twice": page(b'{"keys":[],' + jwks(ONE)[1:]),
    "every key id twice": page(jwks(ONE, ONE)),
    "a thousand keys": page(jwks(*({**TWO, "kid": str(number)} for number in range(1000)))),
    "a thousand small keys": page(json.dumps({"keys": [{"kid": "x"}] * 1000}).encode()),
    "33 keys": page(jwks(ONE, *({"kid": str(number)} for number in range(32)))),
    "many values": page(numbers(32_000)),
    "deep nesting": page(b"[" * 60_000),
    "a number of 60,000 digits": page(b'{"keys":' + b"9" * 60_000 + b"}"),
    "too long by its length": page(jwks(ONE), Content_Length=str(len(jwks(ONE)) + 100)),
    "too short by its length": page(jwks(ONE), Content_Length=str(len(jwks(ONE)) - 100)),
    "two lengths": page(jwks(ONE), content_length="5"),
    "negative length": page(jwks(ONE), Content_Length="-1"),
    "cut off in a chunk": CHUNKED + b"FFFF\r\n" + jwks(ONE),
    "no chunk at all": CHUNKED + b"zz\r\n" + jwks(ONE),
    "compressed": page(b"\x1f\x8b\x08\x00" + jwks(ONE), Content_Encoding="gzip"),
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_answer_takes_no_known_key_and_gives_none(
    issuer: KeyServer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.identity.jwks.FETCH_TIMEOUT_S", 0.3)
    broken = BROKEN[fault]
    async with opened(issuer) as chaos:
        assert await chaos.ask("one") == FOUND
        issuer.does(broken) if callable(broken) else issuer.says(broken)
        chaos.clock.advance(661)
        during = await crowd(chaos.ask("one") for _ in range(100))
        new = await chaos.ask("two")
        issuer.says(page(jwks(ONE, TWO)))
        chaos.clock.advance(75)
        after = await chaos.ask("two")

    assert during == [FOUND] * 100
    assert (new, after) == (UNAVAILABLE, FOUND)
    assert issuer.requests == 3
    assert chaos.cache.counts.failures == 1


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_answer_to_a_server_without_keys_is_an_outage(
    issuer: KeyServer, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.identity.jwks.FETCH_TIMEOUT_S", 0.3)
    broken = BROKEN[fault]
    issuer.does(broken) if callable(broken) else issuer.says(broken)
    async with opened(issuer) as chaos:
        assert await crowd(chaos.ask("one") for _ in range(100)) == [UNAVAILABLE] * 100
    assert issuer.requests == 1


async def test_a_key_id_that_occurs_twice_is_dropped_and_the_others_are_not(warm: Chaos) -> None:
    warm.issuer.says(page(jwks(ONE, TWO, {**ONE, "kid": "two"})))
    warm.clock.advance(661)
    warm.keys.caches[ISSUER].refresh_if_due()
    await warm.quiet()

    assert await warm.ask("two") == UNKNOWN
    assert await warm.ask("one") == FOUND


async def test_the_most_and_largest_keys_are_loaded_without_holding_up_the_loop(warm: Chaos) -> None:
    chance = random.Random(1)

    def large(number: int) -> dict[str, str]:
        n = chance.getrandbits(8192) | 1 | 1 << 8191
        return {"kty": "RSA", "kid": f"large-{number}", "e": "AQAB", "n": base64url.encode(n.to_bytes(1024))}

    warm.issuer.says(page(jwks(ONE, *(large(number) for number in range(31)))))

    assert await warm.ask("large-30") == FOUND
    assert len(warm.cache) == 32


# ---- the whole server
