"""What the game server answers to a login becomes tokens, or a refusal that says when to come again."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from loadtest.failures import Refused, SwarmError
from loadtest.sign_in.bridge import MAX_BODY, Bridge, Credential, Tokens
from loadtest.sign_in.device import Device

TOKENS = Tokens("t0ken-s3cret", "refresh-s3cret", "u-1", 7000)
CREDENTIAL = Credential("custom", {"id": "s3cret"})
TOKEN = "e30.eyJ1aWQiOiJ1LTEiLCJleHAiOjcwMDB9.s3cret"
"""Its claims: {"uid":"u-1","exp":7000}."""

Asked = tuple[str, str, dict[str, str]]
"""Path, Authorization, body."""


@asynccontextmanager
async def bridge_to(answer: web.Response, asked: list[Asked] | None = None) -> AsyncIterator[Bridge]:
    async def handle(request: web.Request) -> web.Response:
        if asked is not None:
            asked.append((request.path_qs, request.headers["Authorization"], await request.json()))
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as http:
            yield Bridge(http, f"http://{host}:{port}", "defaultkey")
    finally:
        await runner.cleanup()


async def test_user_and_end_are_read_from_the_token() -> None:
    async with bridge_to(web.json_response({"token": TOKEN, "refresh_token": "r"})) as bridge:
        tokens = await bridge.authenticate(CREDENTIAL)

    assert (tokens.user_id, tokens.expires_at, tokens.refresh_token) == ("u-1", 7000, "r")
    assert "s3cret" not in repr(tokens) + repr(CREDENTIAL)


async def test_a_refusal_tells_when_to_come_again() -> None:
    answer = web.json_response({"message": "x" * 999}, status=503, headers={"Retry-After": "7"})

    async with bridge_to(answer) as bridge:
        with pytest.raises(Refused) as raised:
            await bridge.authenticate(CREDENTIAL)

    assert (raised.value.status, raised.value.retry_after_s) == (503, 7)
    assert len(str(raised.value)) < 200
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"token": 5}', b"\xff"])
async def test_rubbish_is_no_login(body: bytes) -> None:
    async with bridge_to(web.Response(body=body)) as bridge:
        with pytest.raises(SwarmError, match="without a token"):
            await bridge.authenticate(CREDENTIAL)


async def test_an_answer_without_end_is_not_kept() -> None:
    async with bridge_to(web.Response(body=b"x" * (MAX_BODY + 1))) as bridge:
        with pytest.raises(SwarmError, match="longer than"):
            await bridge.authenticate(CREDENTIAL)


async def test_a_server_that_is_not_there_is_told() -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(SwarmError, match="does not answer"):
            await Bridge(http, "http://127.0.0.1:1", "defaultkey").authenticate(CREDENTIAL)


async def test_a_device_signs_in_as_the_reference_server_wants_it() -> None:
    asked: list[Asked] = []

    async with bridge_to(web.json_response({"token": TOKEN}), asked) as bridge:
        await bridge.authenticate(await Device().credential("ann-0001"))

    basic = "Basic " + b64encode(b"defaultkey:").decode()
    assert asked == [("/v2/account/authenticate/device?create=true", basic, {"id": "lockgate-ann-0001"})]


async def test_a_refresh_shows_the_refresh_token_and_gives_the_next_pair() -> None:
    asked: list[Asked] = []

    async with bridge_to(web.json_response({"token": TOKEN, "refresh_token": "next"}), asked) as bridge:
        following = await bridge.refresh(TOKENS)

    path, authorization, body = asked[0]
    assert (path, body) == ("/v2/account/session/refresh", {"token": "refresh-s3cret"})
    assert authorization.startswith("Basic ")
    assert (following.token, following.refresh_token) == (TOKEN, "next")


async def test_a_logout_is_the_sessions_own() -> None:
    asked: list[Asked] = []

    async with bridge_to(web.json_response({}), asked) as bridge:
        await bridge.logout(TOKENS)

    body = {"token": "t0ken-s3cret", "refresh_token": "refresh-s3cret"}
    assert asked == [("/v2/session/logout", "Bearer t0ken-s3cret", body)]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_server_that_repeats_what_it_got_makes_us_tell_no_secret(status: int) -> None:
    answer = web.json_response({"message": "bad t0ken-s3cret, refresh-s3cret, s3cret, key"}, status=status)

    async with bridge_to(answer) as bridge:
        told = []
        for call in (bridge.authenticate(CREDENTIAL), bridge.refresh(TOKENS), bridge.logout(TOKENS)):
            with pytest.raises(Refused) as raised:
                await call
            told.append((raised.value.status, str(raised.value), repr(raised.value)))

    assert {each[0] for each in told} == {status}
    assert "refresh-s3cret" not in "".join(told[1][1:] + told[2][1:])
    assert " s3cret" not in "".join(told[0][1:])
