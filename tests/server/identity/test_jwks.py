"""The key cache against a controlled clock, and its HTTP side against a misbehaving server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from server.config import IssuerSettings
from server.identity.failures import KeysUnavailable
from server.identity.jwks import MAX_DOCUMENT, MAX_WAITERS, FetchFailed, Jwks, JwksCache, check_url
from server.identity.keyset import thumbprint
from server.ids import RandomIds
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.issuer import CLIENT, jwk, jwks, rsa_key

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


@pytest.mark.parametrize(
    ("url", "production", "allowed"),
    [
        ("https://keys.example/jwks", True, True),
        ("http://127.0.0.1:1/jwks", False, True),
        ("http://[::1]:1/jwks", False, True),
        ("http://localhost/jwks", False, True),
        ("http://127.0.0.1:1/jwks", True, False),
        ("http://keys.example/jwks", False, False),
        ("http://127.0.0.1.example/jwks", False, False),
        ("http://127.0.0.1@keys.example/jwks", False, False),
        ("file:///etc/passwd", False, False),
        ("https:///jwks", False, False),
        ("", False, False),
    ],
)
def test_keys_come_over_https_or_from_this_machine(url: str, production: bool, allowed: bool) -> None:
    if allowed:
        check_url(url, production=production)
    else:
        with pytest.raises(ValueError):
            check_url(url, production=production)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """An HTTP server on loopback; paths answer what the test puts there."""

    def __init__(self) -> None:
        self.pages: dict[str, Handler] = {}
        self.asked: list[str] = []

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def put(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        async def page(_request: web.Request) -> web.StreamResponse:
            return web.Response(body=body, status=status, headers=headers)

        self.pages[path] = page

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path not in self.pages:
            return web.Response(status=404)
        return await self.pages[request.path](request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.stop()


async def fetched(issuer: str, jwks_url: str = "", *, production: bool = False, kid: str = "one") -> bool:
    """Whether the key is found through a fresh cache over HTTP."""
    settings = IssuerSettings(issuer=issuer, jwks_url=jwks_url, client_ids=(CLIENT,))
    keys = Jwks(
        [settings], production=production, clock=ManualClock(), ids=MiddleIds("x"), tasks=TaskOwner("jwks")
    )
    await keys.start()
    try:
        return await keys.key(issuer, kid) is not None
    finally:
        await keys.close()


async def test_a_key_set_is_fetched_from_the_configured_url(server: Server) -> None:
    server.put("/keys", jwks(ONE))

    assert await fetched("https://issuer.example", f"{server.url}/keys")
    assert server.asked == ["/keys"]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_empty_url_is_discovered(server: Server, slash: str) -> None:
    issuer = f"{server.url}/pool{slash}"
    configuration = f'{{"issuer":"{issuer}","jwks_uri":"{server.url}/keys"}}'.encode()
    server.put("/pool/.well-known/openid-configuration", configuration)
    server.put("/keys", jwks(ONE))

    assert await fetched(issuer)
    assert server.asked == ["/pool/.well-known/openid-configuration", "/keys"]


async def test_without_a_discovery_document_the_keys_are_in_their_usual_place(server: Server) -> None:
    server.put("/pool/.well-known/jwks.json", jwks(ONE))

    assert await fetched(f"{server.url}/pool")


@pytest.mark.parametrize(
    "configuration",
    [
        '{"issuer":"URL/other","jwks_uri":"URL/keys"}',
        '{"issuer":"URL/pool/","jwks_uri":"URL/keys"}',
        '{"jwks_uri":"URL/keys"}',
        '{"issuer":"URL/pool"}',
        '{"issuer":"URL/pool","jwks_uri":7}',
        '{"issuer":"URL/pool","jwks_uri":"http://keys.example/keys"}',
        '{"issuer":"URL/pool","jwks_uri":"file:///etc/passwd"}',
        '{"issuer":"URL/pool","issuer":"URL/pool","jwks_uri":"URL/keys"}',
        "[]",
        "",
    ],
)
async def test_a_discovery_document_that_is_not_the_issuers_is_not_followed(
    server: Server, configuration: str
) -> None:
    server.put("/pool/.well-known/openid-configuration", configuration.replace("URL", server.url).encode())
    server.put("/keys", jwks(ONE))

    with pytest.raises(KeysUnavailable):
        await fetched(f"{server.url}/pool")
    assert "/keys" not in server.asked


async def test_a_redirect_is_not_followed(server: Server) -> None:
    server.put("/keys", b"", 302, Location="/elsewhere")
    server.put("/elsewhere", jwks(ONE))

    with pytest.raises(KeysUnavailable):
        await fetched("https://issuer.example", f"{server.url}/keys")
    assert server.asked == ["/keys"]


@pytest.mark.parametrize("status", [204, 401, 404, 500, 503])
async def test_no_other_status_is_a_key_set(server: Server, status: int) -> None:
    server.put("/keys", b"" if status == 204 else jwks(ONE), status)

    with pytest.raises(KeysUnavailable):
        await fetched("https://issuer.example", f"{server.url}/keys")


async def test_a_document_is_read_up_to_its_limit(server: Server) -> None:
    document = jwks(ONE)
    server.put("/fits", document + b" " * (MAX_DOCUMENT - len(document)))
    server.put("/over", document + b" " * (MAX_DOCUMENT - len(document) + 1))

    assert await fetched("https://issuer.example", f"{server.url}/fits")
    with pytest.raises(KeysUnavailable):
        await fetched("https://issuer.example", f"{server.url}/over")


async def test_an_endless_document_is_cut_off(server: Server) -> None:
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        while written < 50_000_000:
            await response.write(b" " * 65_536)
            written += 65_536
        return response

    server.pages["/keys"] = endless
    with pytest.raises(KeysUnavailable):
        await fetched("https://issuer.example", f"{server.url}/keys")
    assert written < 50_000_000


async def test_a_server_that_is_gone_is_an_outage(server: Server) -> None:
    url = f"{server.url}/keys"
    await server.stop()

    with pytest.raises(KeysUnavailable):
        await fetched("https://issuer.example", url)


async def test_a_fetch_has_its_own_time_limit(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("waits for ever")

    monkeypatch.setattr("server.identity.jwks.FETCH_TIMEOUT_S", 0.01)
    server.pages["/keys"] = never
    with pytest.raises(KeysUnavailable):
        await fetched("https://issuer.example", f"{server.url}/keys")


async def test_a_public_test_key_is_denied_in_production_only(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = frozenset({thumbprint(rsa_key().public_key())})
    monkeypatch.setattr("server.identity.jwks.PUBLIC_TEST_KEYS", mine)
    settings = IssuerSettings(issuer="https://i.example", jwks_url="https://k.example", client_ids=(CLIENT,))

    async def document(_self: object, _session: object) -> bytes:
        return jwks(ONE)

    monkeypatch.setattr("server.identity.jwks.Source.fetch", document)
    assert await fetched(settings.issuer, settings.jwks_url)
    with pytest.raises(KeysUnavailable):
        await fetched(settings.issuer, settings.jwks_url, production=True)
