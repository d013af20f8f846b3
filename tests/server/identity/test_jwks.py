"""Fetching key sets over HTTP from a misbehaving server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from server.identity.failures import KeysUnavailable
from server.identity.jwks import MAX_DOCUMENT, Jwks, check_url, denied_keys, max_age_s
from server.identity.jwks_cache import Document
from server.identity.keyset import PUBLIC_TEST_KEYS, thumbprint
from server.ids import RandomIds
from server.sections import IssuerSettings
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.inprocess import until
from tests.support.issuer import CLIENT, jwk, jwks, rsa_key

ONE = jwk(rsa_key(), "one")


class MiddleIds(RandomIds):
    """No jitter: each random number is the middle one."""

    def jitter(self) -> float:
        return 0.5


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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["max-age=300"], 300),
        (["public, Max-Age=300, must-revalidate"], 300),
        (['max-age="300"'], 300),
        (["max-age=300", "max-age=200"], 200),
        (["max-age=0"], 0),
        (["s-maxage=300"], None),
        (["max-age=-1"], None),
        (["max-age=1e3"], None),
        (["max-age=\u0663"], None),
        (['max-age="300'], None),
        (["max-age=" + "9" * 5000], None),
        (["no-store"], None),
    ],
)
def test_the_lifetime_is_taken_from_the_cache_header(headers: list[str], seconds: float | None) -> None:
    assert max_age_s(headers) == seconds


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


async def test_a_public_test_key_is_taken_from_this_machine_outside_production_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = frozenset({thumbprint(rsa_key().public_key())})
    monkeypatch.setattr("server.identity.jwks.PUBLIC_TEST_KEYS", mine)

    async def document(_self: object, _session: object) -> Document:
        return Document(jwks(ONE))

    monkeypatch.setattr("server.identity.jwks.Source.fetch", document)
    assert await fetched("https://i.example", "https://127.0.0.1/keys")
    with pytest.raises(KeysUnavailable):
        await fetched("https://i.example", "https://keys.example/keys")
    with pytest.raises(KeysUnavailable):
        await fetched("https://i.example", "https://127.0.0.1/keys", production=True)


@pytest.mark.parametrize(
    ("named", "taken"), [("http://localhost:1/keys", True), ("https://keys.example/keys", False)]
)
async def test_a_public_test_key_is_not_taken_from_a_place_that_discovery_names_elsewhere(
    monkeypatch: pytest.MonkeyPatch, named: str, taken: bool
) -> None:
    issuer = "http://127.0.0.1:1/pool"
    pages = {
        f"{issuer}/.well-known/openid-configuration": json.dumps(
            {"issuer": issuer, "jwks_uri": named}
        ).encode(),
        named: jwks(ONE),
    }

    async def page(_self: object, _session: object, url: str) -> Document:
        return Document(pages[url])

    mine = frozenset({thumbprint(rsa_key().public_key())})
    monkeypatch.setattr("server.identity.jwks.PUBLIC_TEST_KEYS", mine)
    monkeypatch.setattr("server.identity.jwks.Source._get", page)

    with contextlib.nullcontext() if taken else pytest.raises(KeysUnavailable):
        assert await fetched(issuer, "")


@pytest.mark.parametrize(
    ("issuer", "jwks_url", "production", "denied"),
    [
        ("https://i.example", "http://127.0.0.1:1/keys", False, False),
        ("https://i.example", "http://[::1]:1/keys", False, False),
        ("https://i.example", "https://localhost/keys", False, False),
        ("http://127.0.0.1:1/pool", "", False, False),
        ("https://i.example", "", False, True),
        ("http://127.0.0.1:1/pool", "https://keys.example/keys", False, True),
        ("https://i.example", "https://127.0.0.1.example/keys", False, True),
        ("https://i.example", "https://127.0.0.1@keys.example/keys", False, True),
        ("https://i.example", "https://10.0.0.1/keys", False, True),
        ("https://i.example", "https://127.0.0.1/keys", True, True),
    ],
)
def test_keys_that_anyone_can_sign_with_are_denied_beyond_this_machine(
    issuer: str, jwks_url: str, production: bool, denied: bool
) -> None:
    settings = IssuerSettings(issuer=issuer, jwks_url=jwks_url, client_ids=(CLIENT,))

    assert denied_keys(settings, production=production) == (PUBLIC_TEST_KEYS if denied else frozenset())


async def test_keys_are_kept_fresh_without_any_login(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.identity.jwks.CHECK_INTERVAL_S", 0.001)
    server.put("/keys", jwks(ONE), 200, **{"Cache-Control": "max-age=60"})
    clock = ManualClock()
    issuer = IssuerSettings(issuer="https://i.example", jwks_url=f"{server.url}/keys", client_ids=(CLIENT,))
    keys = Jwks([issuer], production=False, clock=clock, ids=MiddleIds("x"), tasks=TaskOwner("jwks"))
    await keys.start()
    assert await keys.key(issuer.issuer, "one") is not None

    clock.advance(61)
    await until(lambda: len(server.asked) == 2)
    await keys.close()


async def test_readings_are_by_configured_issuer_and_absent_without_a_value(server: Server) -> None:
    server.put("/keys", jwks(ONE))
    good, down = (
        IssuerSettings(
            issuer=f"https://{name}.example", jwks_url=f"{server.url}/{name}", client_ids=(CLIENT,)
        )
        for name in ("keys", "down")
    )
    keys = Jwks(
        [good, down], production=False, clock=ManualClock(), ids=MiddleIds("x"), tasks=TaskOwner("jwks")
    )
    await keys.start()
    await until(lambda: sum(keys.read(lambda cache: cache.counts.failures).values()) == 1)
    await keys.key(good.issuer, "one")

    assert keys.read(lambda cache: cache.age_s) == {good.issuer: 0.0}
    assert keys.read(len) == {good.issuer: 1, down.issuer: 0}
    await keys.close()
