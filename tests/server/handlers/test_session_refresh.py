"""Refreshing from the socket: what is asked of the login, and what is answered."""

import json

import pytest

from protocol.errors import ErrorCode, RequestError
from server.handlers.session_refresh import session_refresh
from tests.support.players import ALICE
from tests.support.world import RefreshableLogins, empty_world


async def test_a_refresh_token_is_answered_with_new_tokens() -> None:
    logins = RefreshableLogins()
    world = empty_world(live_logins=logins)

    answer = await session_refresh(world, ALICE, '{"token":"r","vars":{"map":"ice"}}')

    assert json.loads(answer) == {"token": "new session", "refresh_token": "new refresh"}
    assert logins.shown == [(ALICE.session_id, "r", {"map": "ice"})]


async def test_without_vars_the_login_keeps_its_own() -> None:
    logins = RefreshableLogins()

    await session_refresh(empty_world(live_logins=logins), ALICE, '{"token":"r"}')

    assert logins.shown == [(ALICE.session_id, "r", {})]


async def test_a_session_token_is_answered_with_the_time_at_which_it_ends() -> None:
    logins = RefreshableLogins()

    answer = await session_refresh(empty_world(live_logins=logins), ALICE, '{"session_token":"s"}')

    assert json.loads(answer) == {"expires_at": 1_800_007_200}
    assert logins.shown == [(ALICE.session_id, "s")]


@pytest.mark.parametrize("payload", ['{"token":"bad"}', '{"session_token":"bad"}'])
async def test_a_refused_token_is_an_error_of_the_function(payload: str) -> None:
    with pytest.raises(RequestError) as refused:
        await session_refresh(empty_world(), ALICE, payload)

    assert refused.value.code is ErrorCode.RUNTIME_FUNCTION_EXCEPTION


async def test_a_payload_without_sense_asks_nothing() -> None:
    logins = RefreshableLogins()

    with pytest.raises(RequestError) as refused:
        await session_refresh(empty_world(live_logins=logins), ALICE, "{}")

    assert refused.value.code is ErrorCode.BAD_INPUT
    assert logins.shown == []
