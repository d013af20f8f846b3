"""A real counterpart for sign-in: boto3 against moto's Cognito, its token against our site over HTTP.

moto always signs with one published key, for an issuer name on AWS, while its keys are on loopback.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import boto3
import pytest
from botocore.config import Config

from server.config import IdentitySettings, IssuerSettings
from server.identity.jwks import Jwks
from server.ids import RandomIds
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.site import SERVER_KEY, Site, open_gate, running_site

REGION = "eu-central-1"
PASSWORD = "Passw0rd!x"
START_TIMEOUT_S = 30


class NowClock(ManualClock):
    """Stands still at the present, which moto's tokens are about."""

    def __init__(self) -> None:
        super().__init__(float(int(time.time())))


@dataclass
class Cognito:
    """One user pool with two clients and a user."""

    url: str
    pool: str
    client: str
    other_client: str
    other_pool: str
    other_pool_client: str
    api: Any

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.{REGION}.amazonaws.com/{self.pool}"

    def sign_in(self, client: str | None = None) -> dict[str, str]:
        answer = self.api.initiate_auth(
            ClientId=client or self.client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "alice", "PASSWORD": PASSWORD},
        )
        tokens: dict[str, str] = answer["AuthenticationResult"]
        return tokens


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of moto's server, run as its own process on a free port."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
        "MOTO_COGNITO_IDP_USER_POOL_ID_STRATEGY": "HASH",
        "MOTO_COGNITO_IDP_USER_POOL_CLIENT_ID_STRATEGY": "HASH",
    }
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("moto did not start")


@pytest.fixture(scope="module")
def cognito(moto: str) -> Cognito:
    api = boto3.client(
        "cognito-idp",
        region_name=REGION,
        endpoint_url=moto,
        aws_access_key_id="t",
        aws_secret_access_key="t",
        config=Config(retries={"max_attempts": 0}),
    )
    pool, other_pool = (api.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("game", "other"))

    def client(of_pool: str, name: str) -> str:
        made = api.create_user_pool_client(
            UserPoolId=of_pool,
            ClientName=name,
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
        client_id: str = made["UserPoolClient"]["ClientId"]
        return client_id

    for of_pool in (pool, other_pool):
        api.admin_create_user(
            UserPoolId=of_pool, Username="alice", TemporaryPassword="Temp-12345", MessageAction="SUPPRESS"
        )
        api.admin_set_user_password(UserPoolId=of_pool, Username="alice", Password=PASSWORD, Permanent=True)
    return Cognito(
        moto, pool, client(pool, "web"), client(pool, "console"), other_pool, client(other_pool, "web"), api
    )


@pytest.fixture
async def site(tmp_path: Path, cognito: Cognito) -> AsyncIterator[Site]:
    async with serve(tmp_path, cognito, production=False) as running:
        yield running


@asynccontextmanager
async def serve(folder: Path, cognito: Cognito, *, production: bool) -> AsyncIterator[Site]:
    url = f"{cognito.url}/{cognito.pool}/.well-known/jwks.json"
    settings = IssuerSettings(issuer=cognito.issuer, jwks_url=url, client_ids=(cognito.client,))
    clock = NowClock()
    keys = Jwks(
        [settings], production=production, clock=clock, ids=RandomIds("test"), tasks=TaskOwner("jwks")
    )
    await keys.start()
    try:
        identity = IdentitySettings(issuers=(settings,))
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
