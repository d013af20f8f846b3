"""The swarm's way in by Cognito, from moto's user to a session of our server."""

from pathlib import Path

import aiohttp
import pytest

from loadtest.failures import Refused, SwarmError
from loadtest.sign_in.bridge import Bridge, Credential
from loadtest.sign_in.cognito import Cognito as CognitoWay
from tests.e2e.test_moto_cognito import serve
from tests.support.cognito import PASSWORD, Cognito


async def test_a_user_of_the_pool_gets_a_session(tmp_path: Path, cognito: Cognito) -> None:
    async with serve(tmp_path, cognito, production=False) as site, aiohttp.ClientSession() as http:
        way = CognitoWay(http, cognito.url, cognito.client, PASSWORD)
        await way.prepare(["alice"])
        bridge = Bridge(http, f"http://{site.host}:{site.port}", "defaultkey")
        tokens = await bridge.authenticate(await way.credential("alice"))

        claims = site.gate.tokens.check_session(tokens.token)
        assert claims is not None
        assert claims.username == "alice"


async def test_a_wrong_password_is_told_without_it(cognito: Cognito) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SwarmError) as raised:
            await CognitoWay(http, cognito.url, cognito.client, "Wr0ng-s3cret").credential("alice")

    assert "s3cret" not in str(raised.value)


async def test_a_token_that_the_server_refuses_is_not_told(tmp_path: Path, cognito: Cognito) -> None:
    async with serve(tmp_path, cognito, production=False) as site, aiohttp.ClientSession() as http:
        bridge = Bridge(http, f"http://{site.host}:{site.port}", "defaultkey")
        with pytest.raises(Refused) as raised:
            await bridge.authenticate(Credential("custom", {"id": "s3cret"}))

    assert raised.value.status == 401
    assert "s3cret" not in str(raised.value)
