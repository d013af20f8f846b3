"""A whole server whose issuer is in trouble: restarts with the keys on disk, and what the metrics show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from server.app import Server
from server.sections import IdentitySettings, IssuerSettings
from tests.support.inprocess import settings_in, until
from tests.support.issuer import CLIENT, ISSUER, jwk, jwks, rsa_key, token
from tests.support.keyserver import KeyServer, page

ONE = jwk(rsa_key(), "one")
GOOD = page(jwks(ONE))


def settings(url: str) -> IssuerSettings:
    return IssuerSettings(issuer=ISSUER, jwks_url=url, client_ids=(CLIENT,))


@pytest.fixture
async def issuer() -> AsyncIterator[KeyServer]:
    issuer = KeyServer()
    await issuer.start()
    issuer.says(GOOD)
    yield issuer
    await issuer.stop()


async def sign_in(public: str, id_token: str) -> int:
    url = f"http://{public}/v2/account/authenticate/custom"
    key = {"Authorization": aiohttp.encode_basic_auth("defaultkey", "")}
    async with aiohttp.ClientSession() as http, http.post(url, json={"id": id_token}, headers=key) as answer:
        return answer.status


async def is_ready(ops: str) -> bool:
    async with aiohttp.ClientSession() as http, http.get(f"http://{ops}/readyz") as answer:
        return answer.status == 200


@asynccontextmanager
async def serving(folder: Path, url: str, cache_dir: str) -> AsyncIterator[Server]:
    identity = IdentitySettings(issuers=(settings(url),), jwks_cache_dir=cache_dir)
    server = Server(settings_in(folder, identity=identity))
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@pytest.mark.parametrize(("keeps", "status"), [(True, 200), (False, 503)])
async def test_a_restart_during_an_outage_signs_players_in_with_the_keys_on_disk(
    tmp_path: Path, issuer: KeyServer, keeps: bool, status: int
) -> None:
    folder = tmp_path / "jwks"
    cache_dir = str(folder) if keeps else ""
    async with serving(tmp_path, issuer.url, cache_dir) as server:
        now = server._clock.wall()
        assert await sign_in(server.public, token(now, kid="one")) == 200
        if keeps:
            await until(lambda: any(folder.glob("jwks-*.json")))
    issuer.says(b"")
    async with serving(tmp_path, issuer.url, cache_dir) as server:
        answers = [await sign_in(server.public, token(now, kid="one")) for _ in range(3)]
        ready = await is_ready(server.ops)

    assert answers == [status] * 3
    assert ready


async def test_an_issuer_in_trouble_is_seen_in_the_metrics(tmp_path: Path, issuer: KeyServer) -> None:
    async with serving(tmp_path, issuer.url, "") as server:
        now = server._clock.wall()
        assert await sign_in(server.public, token(now, kid="one")) == 200
        assert await sign_in(server.public, token(now, kid="made-up")) == 401
        assert await sign_in(server.public, token(now, kid="made-up")) == 401
        issuer.says(b"")
        assert await sign_in(server.public, token(now, kid="new")) == 503
        async with aiohttp.ClientSession() as http, http.get(f"http://{server.ops}/metrics") as answer:
            told = (await answer.text()).splitlines()

    def value(name: str) -> str:
        return next(line.rpartition(" ")[2] for line in told if line.startswith(f"lockgate_jwks_{name}{{"))

    assert [line for line in told if line.startswith(f'lockgate_jwks_keys{{issuer="{ISSUER}"}} 1.0')]
    assert value("fetches_total") == "3.0"
    assert value("failures_total") == "1.0"
    assert value("unknown_total") == "2.0"
    assert value("unknown_remembered_total") == "1.0"
    assert value("unknown_not_asked_total") == "0.0"
    assert 0 <= float(value("age_seconds")) < 600
