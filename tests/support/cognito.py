"""A real Cognito counterpart: moto's server as its own process, user pools in it, and sign-in by boto3."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import URLError

import boto3
from botocore.config import Config

REGION = "eu-central-1"
PASSWORD = "Passw0rd!x"
START_TIMEOUT_S = 30


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

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/{self.pool}/.well-known/jwks.json"

    def sign_in(self, client: str | None = None) -> dict[str, str]:
        """`AccessToken`, `IdToken` and `RefreshToken` of alice; waits for the answer."""
        answer = self.api.initiate_auth(
            ClientId=client or self.client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "alice", "PASSWORD": PASSWORD},
        )
        tokens: dict[str, str] = answer["AuthenticationResult"]
        return tokens


@contextmanager
def running_moto() -> Iterator[str]:
    """The URL of moto's server, run as its own process on a free port."""
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
        "MOTO_COGNITO_IDP_USER_POOL_ID_STRATEGY": "HASH",
        "MOTO_COGNITO_IDP_USER_POOL_CLIENT_ID_STRATEGY": "HASH",
    }
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("moto did not start")


def make_pools(moto: str) -> Cognito:
    """Two pools with an alice in each, and their clients."""
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
