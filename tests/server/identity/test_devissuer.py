"""The development issuer over its real wire: the unmodified AWS SDK, a verifying library, plain HTTP."""

import asyncio
import contextlib
import io
import json
import os
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import boto3
import jwt
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from server.clock import SystemClock
from server.config import DevSettings
from server.identity.devissuer import DevIssuer, DevIssuerError, fetch_dev_token
from server.ids import RandomIds
from server.observe import logs
from tests.support.log_output import log_output

SETTINGS = DevSettings(port=0, pool="local_dev", client_id="game")
PASSWORD = "correct horse"
AMZ_JSON = "application/x-amz-json-1.1"


@contextlib.asynccontextmanager
async def running(
    data_dir: Path, settings: DevSettings = SETTINGS, **options: Any
) -> AsyncIterator[DevIssuer]:
    issuer = DevIssuer(settings, data_dir, SystemClock(), RandomIds("test"), **options)
    await issuer.start()
    try:
        yield issuer
    finally:
        await issuer.stop()


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[DevIssuer]:
    async with running(tmp_path) as started:
        yield started


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def base(issuer: DevIssuer) -> str:
    return issuer.issuer.removesuffix("/local_dev")


def port_of(issuer: DevIssuer) -> int:
    port = urlsplit(issuer.issuer).port
    assert port is not None
    return port


async def aws(issuer: DevIssuer, call: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """What boto3's Cognito client gets for `call`; it blocks, so it runs beside the loop."""

    def work() -> dict[str, Any]:
        client = boto3.client(
            "cognito-idp",
            region_name="eu-central-1",
            endpoint_url=base(issuer),
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}),
        )
        try:
            return call(client)
        finally:
            client.close()

    return await asyncio.to_thread(work)


async def aws_error(issuer: DevIssuer, call: Callable[[Any], dict[str, Any]]) -> str:
    with pytest.raises(ClientError) as refused:
        await aws(issuer, call)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return str(refused.value.response["Error"]["Code"])


def sign_up(name: str, password: str = PASSWORD, client_id: str = "game") -> Callable[[Any], dict[str, Any]]:
    return lambda client: client.sign_up(ClientId=client_id, Username=name, Password=password)


def initiate(flow: str, client_id: str = "game", **parameters: str) -> Callable[[Any], dict[str, Any]]:
    return lambda client: client.initiate_auth(ClientId=client_id, AuthFlow=flow, AuthParameters=parameters)


def password_sign_in(name: str, password: str = PASSWORD) -> Callable[[Any], dict[str, Any]]:
    return initiate("USER_PASSWORD_AUTH", USERNAME=name, PASSWORD=password)


async def verified(
    http: aiohttp.ClientSession, issuer: DevIssuer, token: str, **checks: Any
) -> dict[str, Any]:
    """The claims of a token, verified by PyJWT against the issuer's published keys."""
    async with http.get(issuer.jwks_url) as answer:
        keys = jwt.PyJWKSet.from_dict(await answer.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], issuer=issuer.issuer, **checks)


async def test_the_aws_sdk_signs_up_and_in(issuer: DevIssuer, http: aiohttp.ClientSession) -> None:
    signed_up = await aws(issuer, sign_up("alice"))
    answer = await aws(issuer, password_sign_in("alice"))

    tokens = answer["AuthenticationResult"]
    access = await verified(http, issuer, tokens["AccessToken"])
    identity = await verified(http, issuer, tokens["IdToken"], audience="game")
    assert signed_up["UserConfirmed"] is True
    assert access["sub"] == identity["sub"] == signed_up["UserSub"]
    assert (access["client_id"], access["token_use"], access["username"]) == ("game", "access", "alice")
    assert access["exp"] - access["iat"] == tokens["ExpiresIn"] == 3600
    assert tokens["TokenType"] == "Bearer"
    assert answer["ChallengeParameters"] == {}


async def test_a_refresh_gives_new_tokens_of_the_same_sign_in(
    issuer: DevIssuer, http: aiohttp.ClientSession
) -> None:
    await aws(issuer, sign_up("alice"))
    first = (await aws(issuer, password_sign_in("alice")))["AuthenticationResult"]

    answer = await aws(issuer, initiate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=first["RefreshToken"]))

    second = answer["AuthenticationResult"]
    before, after = [await verified(http, issuer, t["AccessToken"]) for t in (first, second)]
    assert "RefreshToken" not in second
    assert before["jti"] != after["jti"]
    same = ("sub", "origin_jti", "auth_time", "event_id", "username")
    assert {name: before[name] for name in same} == {name: after[name] for name in same}


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (sign_up("alice"), "UsernameExistsException"),
        (sign_up("bob", "short"), "InvalidPasswordException"),
        (sign_up("b o b"), "InvalidParameterException"),
        (sign_up("bob", client_id="other"), "ResourceNotFoundException"),
        (password_sign_in("alice", "wrong password"), "NotAuthorizedException"),
        (password_sign_in("nobody"), "UserNotFoundException"),
        (initiate("USER_PASSWORD_AUTH", USERNAME="alice"), "InvalidParameterException"),
        (initiate("USER_SRP_AUTH", USERNAME="alice", SRP_A="1"), "InvalidParameterException"),
        (initiate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN="invented"), "NotAuthorizedException"),
        (initiate("REFRESH_TOKEN_AUTH", client_id="other", REFRESH_TOKEN="x"), "ResourceNotFoundException"),
        (
            lambda client: client.forgot_password(ClientId="game", Username="alice"),
            "UnknownOperationException",
        ),
    ],
)
async def test_the_aws_sdk_gets_the_errors_of_cognito(
    issuer: DevIssuer, call: Callable[[Any], dict[str, Any]], kind: str
) -> None:
    await aws(issuer, sign_up("alice"))

    assert await aws_error(issuer, call) == kind


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff", b"[" * 10_000, b'{"ClientId": 1}', b'{"ClientId": "game"}'],
)
async def test_a_body_that_is_no_request_is_answered_in_cognitos_form(
    issuer: DevIssuer, http: aiohttp.ClientSession, body: bytes
) -> None:
    headers = {"X-Amz-Target": "AWSCognitoIdentityProviderService.SignUp", "Content-Type": AMZ_JSON}

    async with http.post(base(issuer) + "/", data=body, headers=headers) as answer:
        told = json.loads(await answer.read())

    assert (answer.status, answer.headers["Content-Type"]) == (400, AMZ_JSON)
    assert set(told) == {"__type", "message"}


@pytest.mark.parametrize("target", [None, "", "SignUp", "Other.SignUp", "AWSCognitoIdentityProviderService."])
async def test_an_operation_must_be_named_in_full(
    issuer: DevIssuer, http: aiohttp.ClientSession, target: str | None
) -> None:
    headers = {} if target is None else {"X-Amz-Target": target}

    async with http.post(base(issuer) + "/", json={"ClientId": "game"}, headers=headers) as answer:
        told = json.loads(await answer.read())

    assert (answer.status, told["__type"]) == (400, "UnknownOperationException")


async def test_a_body_over_the_limit_is_refused(issuer: DevIssuer, http: aiohttp.ClientSession) -> None:
    async with http.post(base(issuer) + "/_dev/token", json={"user": "x" * 20_000}) as answer:
        assert answer.status == 413


async def test_discovery_leads_to_the_keys(issuer: DevIssuer, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{issuer.issuer}/.well-known/openid-configuration") as answer:
        found = await answer.json()
    async with http.get(f"{base(issuer)}/_dev/info") as answer:
        info = await answer.json()

    assert (found["issuer"], found["jwks_uri"]) == (issuer.issuer, issuer.jwks_url)
    assert info == {
        "issuer": issuer.issuer,
        "pool": "local_dev",
        "client_id": "game",
        "jwks_url": issuer.jwks_url,
    }


async def test_tokens_of_the_last_three_keys_stay_good(
    issuer: DevIssuer, http: aiohttp.ClientSession
) -> None:
    tokens = [await asyncio.to_thread(fetch_dev_token, port_of(issuer), "alice")]
    for _ in range(3):
        async with http.post(f"{base(issuer)}/_dev/rotate") as answer:
            kid = (await answer.json())["kid"]
        tokens.append(await asyncio.to_thread(fetch_dev_token, port_of(issuer), "alice"))
        assert jwt.get_unverified_header(tokens[-1])["kid"] == kid

    async with http.get(issuer.jwks_url) as answer:
        published = [key["kid"] for key in (await answer.json())["keys"]]

    assert published == [jwt.get_unverified_header(token)["kid"] for token in reversed(tokens[1:])]
    assert (await verified(http, issuer, tokens[1]))["username"] == "alice"


async def test_rotations_at_once_each_make_a_key(issuer: DevIssuer, http: aiohttp.ClientSession) -> None:
    async def rotate() -> None:
        async with http.post(f"{base(issuer)}/_dev/rotate") as answer:
            assert answer.status == 200

    await asyncio.gather(rotate(), rotate())

    async with http.get(issuer.jwks_url) as answer:
        assert len({key["kid"] for key in (await answer.json())["keys"]}) == 3


async def test_keys_and_subjects_outlive_a_restart(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with running(tmp_path) as first:
        before = await asyncio.to_thread(fetch_dev_token, port_of(first), "alice")
    settings = SETTINGS.model_copy(update={"port": port_of(first)})

    async with running(tmp_path, settings) as second:
        after = await asyncio.to_thread(fetch_dev_token, port_of(second), "alice")
        old, new = await verified(http, second, before), await verified(http, second, after)

    assert old["sub"] == new["sub"]
    assert jwt.get_unverified_header(before) == jwt.get_unverified_header(after)


async def test_a_token_is_given_to_any_name_and_makes_the_user(issuer: DevIssuer) -> None:
    token = await asyncio.to_thread(fetch_dev_token, port_of(issuer), "Zoë")

    assert jwt.decode(token, options={"verify_signature": False})["username"] == "Zoë"
    assert await aws_error(issuer, sign_up("Zoë")) == "UsernameExistsException"


@pytest.mark.parametrize("name", ["", "a b", "x" * 129])
async def test_a_bad_name_is_told_to_whoever_asks_for_a_token(issuer: DevIssuer, name: str) -> None:
    with pytest.raises(DevIssuerError, match=r"user"):
        await asyncio.to_thread(fetch_dev_token, port_of(issuer), name)


async def test_a_full_issuer_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, max_users=1) as small:
        await aws(small, sign_up("alice"))

        assert await aws_error(small, sign_up("bob")) == "LimitExceededException"
        with pytest.raises(DevIssuerError, match="keeps 1 users"):
            await asyncio.to_thread(fetch_dev_token, port_of(small), "bob")


def test_without_an_issuer_the_way_to_start_one_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused

        with pytest.raises(DevIssuerError, match="lockgate serve --dev"):
            fetch_dev_token(taken.getsockname()[1], "alice")


async def test_a_proxy_of_the_environment_is_not_asked(
    issuer: DevIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert urllib.request.getproxies()["http"] == "http://127.0.0.1:1"

    assert await asyncio.to_thread(fetch_dev_token, port_of(issuer), "alice")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
async def test_an_address_that_others_reach_is_refused(tmp_path: Path, host: str) -> None:
    issuer = DevIssuer(SETTINGS, tmp_path, SystemClock(), RandomIds("test"))

    with pytest.raises(DevIssuerError, match="loopback"):
        await issuer.start(host)

    assert os.listdir(tmp_path) == []


def test_production_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DevIssuerError, match="production"):
        DevIssuer(SETTINGS, tmp_path, SystemClock(), RandomIds("test"), production=True)


@pytest.mark.parametrize(
    "host", ["game.example.com", "game.example.com:7352", "0.0.0.0:7352", "127.0.0.1.evil"]
)
async def test_a_request_for_another_host_is_refused(
    issuer: DevIssuer, http: aiohttp.ClientSession, host: str
) -> None:
    async with http.post(f"{base(issuer)}/_dev/token", json={"user": "a"}, headers={"Host": host}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:7352", "127.0.0.1", "[::1]:7352", "[::1]"])
async def test_this_machine_may_be_named_in_several_ways(
    issuer: DevIssuer, http: aiohttp.ClientSession, host: str
) -> None:
    async with http.get(f"{base(issuer)}/_dev/info", headers={"Host": host}) as answer:
        assert answer.status == 200


async def test_a_taken_port_is_an_error_and_leaves_nothing_open(issuer: DevIssuer, tmp_path: Path) -> None:
    second = DevIssuer(
        SETTINGS.model_copy(update={"port": port_of(issuer)}), tmp_path, SystemClock(), RandomIds("test")
    )

    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    with pytest.raises(RuntimeError):
        _ = second.issuer


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    with log_output() as stream:
        logs.configure("debug", "json", stream)
        yield stream


async def test_no_password_or_token_is_logged(tmp_path: Path, logged: io.StringIO) -> None:

    async with running(tmp_path) as issuer:
        await aws(issuer, sign_up("alice"))
        tokens = (await aws(issuer, password_sign_in("alice")))["AuthenticationResult"]
        await aws_error(issuer, password_sign_in("alice", PASSWORD + "!"))
        await aws_error(issuer, initiate("REFRESH_TOKEN_AUTH", REFRESH_TOKEN=tokens["RefreshToken"] + "!"))

    assert "dev_issuer_started" in logged.getvalue()
    secrets = (PASSWORD, tokens["AccessToken"], tokens["IdToken"], tokens["RefreshToken"])
    assert [secret for secret in secrets if secret in logged.getvalue()] == []
