"""A real counterpart for sign-in: boto3 against moto's Cognito, its token against our site over HTTP.

moto always signs with one published key, for an issuer name on AWS, while its keys are on loopback.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.identity.jwks import Jwks
from server.ids import RandomIds
from server.sections import IssuerSettings
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.cognito import Cognito
from tests.support.site import SERVER_KEY, UNLIMITED, Site, open_gate, running_site


class NowClock(ManualClock):
    """Stands still at the present, which moto's tokens are about."""

    def __init__(self) -> None:
        super().__init__(float(int(time.time())))


@pytest.fixture
async def site(tmp_path: Path, cognito: Cognito) -> AsyncIterator[Site]:
    async with serve(tmp_path, cognito, production=False) as running:
        yield running


@asynccontextmanager
async def serve(folder: Path, cognito: Cognito, *, production: bool) -> AsyncIterator[Site]:
    settings = IssuerSettings(issuer=cognito.issuer, jwks_url=cognito.jwks_url, client_ids=(cognito.client,))
    clock = NowClock()
    keys = Jwks(
        [settings], production=production, clock=clock, ids=RandomIds("test"), tasks=TaskOwner("jwks")
    )
    await keys.start()
    try:
        identity = UNLIMITED.model_copy(update={"issuers": (settings,)})
        async with (
            open_gate(folder, identity=identity, keys=keys, clock=clock) as gate,
            running_site(gate) as site,
        ):
            yield site
    finally:
        await keys.close()


async def offer(site: Site, token: str) -> tuple[int, dict[str, Any]]:
    async with site.client.post(
        "/v2/account/authenticate/custom", json={"id": token}, headers=SERVER_KEY
    ) as response:
        return response.status, await response.json()


async def sign_in(cognito: Cognito, client: str | None = None) -> dict[str, str]:
    return await asyncio.to_thread(cognito.sign_in, client)


async def test_an_access_token_of_our_pool_and_client_becomes_a_session(site: Site, cognito: Cognito) -> None:
    tokens = await sign_in(cognito)

    status, session = await offer(site, tokens["AccessToken"])

    claims = site.gate.tokens.check_session(session["token"])
    assert (status, session["created"]) == (200, True)
    assert claims is not None
    assert claims.username == "alice"


async def test_the_id_token_of_the_same_sign_in_is_refused(site: Site, cognito: Cognito) -> None:
    tokens = await sign_in(cognito)

    assert (await offer(site, tokens["IdToken"]))[0] == 401


async def test_a_token_of_another_client_of_the_pool_is_refused(site: Site, cognito: Cognito) -> None:
    tokens = await sign_in(cognito, cognito.other_client)

    assert (await offer(site, tokens["AccessToken"]))[0] == 401


async def test_a_token_of_another_pool_is_refused(site: Site, cognito: Cognito) -> None:
    tokens = await sign_in(cognito, cognito.other_pool_client)

    status, answer = await offer(site, tokens["AccessToken"])
    assert (status, answer) == (401, {"code": 16, "message": "Identity token invalid"})


async def test_its_published_key_is_denied_in_production(
    tmp_path: Path, cognito: Cognito, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await sign_in(cognito)
    # In production the keys would have to come over https; only that rule is put aside here.
    monkeypatch.setattr("server.identity.jwks.check_url", lambda _url, *, production: None)

    async with serve(tmp_path, cognito, production=True) as site:
        status, answer = await offer(site, tokens["AccessToken"])
        assert (status, answer["code"]) == (503, 14)


async def test_its_keys_are_not_even_asked_for_over_http_in_production(
    tmp_path: Path, cognito: Cognito
) -> None:
    with pytest.raises(ValueError, match="https"):
        await serve(tmp_path, cognito, production=True).__aenter__()
