"""Cognito's answers, its refusals and its throttling among them; the real counterpart is in tests/e2e."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from loadtest.failures import SwarmError
from loadtest.sign_in.cognito import PAUSES_S, Cognito

Answer = tuple[int, dict[str, Any]]
GRANTED: Answer = (200, {"AuthenticationResult": {"AccessToken": "t0ken", "ExpiresIn": 3600}})
DONE: Answer = (200, {})


def refusal(kind: str, status: int = 400) -> Answer:
    # As Cognito writes it: with more that is not for us to tell.
    return status, {"__type": f"com.amazonaws.cognito#{kind}", "message": "of ann-s3cret"}


class Counterpart:
    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = iter(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.pauses: list[float] = []

    async def handle(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        self.asked.append((operation, await request.json()))
        status, body = next(self._answers)
        return web.json_response(body, status=status)

    async def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)


@asynccontextmanager
async def cognito(*answers: Answer) -> AsyncIterator[tuple[Cognito, Counterpart]]:
    counterpart = Counterpart(answers)
    app = web.Application()
    app.router.add_post("/", counterpart.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as http:
            yield (
                Cognito(http, f"http://{host}:{port}", "app", "{name}-s3cret", counterpart.sleep),
                counterpart,
            )
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("unknown", ["UserNotFoundException", "NotAuthorizedException"])
async def test_who_is_unknown_is_signed_up_and_tries_again(unknown: str) -> None:
    async with cognito(refusal(unknown), DONE, GRANTED) as (way, counterpart):
        credential = await way.credential("ann")

    parameters = {"USERNAME": "ann", "PASSWORD": "ann-s3cret"}
    sign_in = {"ClientId": "app", "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters}
    sign_up = {"ClientId": "app", "Username": "ann", "Password": "ann-s3cret"}
    assert credential.body == {"id": "t0ken"}
    assert counterpart.asked == [("InitiateAuth", sign_in), ("SignUp", sign_up), ("InitiateAuth", sign_in)]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([refusal("NotAuthorizedException"), refusal("UsernameExistsException")], "refused the password"),
        ([refusal("UserNotFoundException"), refusal("NotAuthorizedException")], "refused a sign-up: 400 Not"),
        ([refusal("UserNotFoundException"), refusal("InvalidPasswordException")], "400 InvalidPassword"),
        ([refusal("UserNotFoundException"), DONE, refusal("UserNotConfirmedException")], "UserNotConfirmed"),
        ([(200, {"ChallengeName": "SMS_MFA", "Session": "s3cret"})], "gave no token: 200 SMS_MFA"),
        ([(200, {"AuthenticationResult": {}})], "gave no token: 200"),
        ([refusal("ResourceNotFoundException")], "400 ResourceNotFoundException"),
    ],
)
async def test_a_refusal_is_told_by_its_name_alone(answers: list[Answer], told: str) -> None:
    async with cognito(*answers) as (way, _):
        with pytest.raises(SwarmError, match=told) as raised:
            await way.credential("ann")

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "busy",
    [
        refusal("TooManyRequestsException"),
        refusal("x", 429),
        refusal("InternalErrorException", 500),
        (503, {}),
    ],
)
async def test_who_is_throttled_comes_later_and_later(busy: Answer) -> None:
    async with cognito(busy, busy, busy, GRANTED) as (way, counterpart):
        await way.prepare(["ann"])

    assert len(counterpart.pauses) == 3
    for pause_s, meant_s in zip(counterpart.pauses, PAUSES_S, strict=False):
        assert meant_s / 2 <= pause_s <= meant_s * 1.5


async def test_who_is_always_throttled_gives_up() -> None:
    busy = [refusal("TooManyRequestsException")] * 50

    async with cognito(*busy) as (way, counterpart):
        with pytest.raises(SwarmError, match="gave no token: 400 TooManyRequestsException"):
            await way.credential("ann")

    assert len(counterpart.asked) == len(PAUSES_S) + 1


async def test_a_provider_that_is_not_there_is_told() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SwarmError, match="does not answer"):
            await Cognito(http, "http://127.0.0.1:1", "app", "s3cret").credential("ann")
