"""Remote calls: which function an id means, and how it answers."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Rpc
from server.core.function import Caller, FunctionError
from server.effects import Reply
from server.handlers import rpc
from tests.support.players import ALICE
from tests.support.world import SOCKETS, KnownFunctions, empty_world

SHOWN = '{"session_token":"s"}'
ANSWER = '{"expires_at":1800007200}'


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("", ErrorCode.BAD_INPUT, "RPC ID must be set"),
        ("any", ErrorCode.RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found"),
        ("session_refresh ", ErrorCode.RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found"),
    ],
)
async def test_no_function_is_found(name: str, code: ErrorCode, text: str) -> None:
    with pytest.raises(RequestError, match=text) as refused:
        await rpc.call(empty_world(), ALICE, Rpc(id=name))

    assert refused.value.code is code


@pytest.mark.parametrize("name", ["session_refresh", "Session_Refresh"])
async def test_a_function_is_found_in_any_case_and_its_id_echoed_as_sent(name: str) -> None:
    effects = await rpc.call(empty_world(), ALICE, Rpc(id=name, payload=SHOWN, http_key="ignored"))

    assert effects == [Reply(Rpc(id=name, payload=ANSWER))]


async def refuse(_caller: Caller, payload: str) -> str:
    raise FunctionError(payload, 5)


async def test_a_function_of_the_game_hears_who_calls() -> None:
    async def echo(_caller: Caller, payload: str) -> str:
        return payload

    functions = KnownFunctions({"echo": echo})

    effects = await rpc.call(empty_world(functions=functions), ALICE, Rpc(id="Echo", payload="p"))

    assert effects == [Reply(Rpc(id="Echo", payload="p"))]
    assert functions.callers == [
        Caller(
            user_id=ALICE.user_id,
            username="alice",
            session_id=ALICE.session_id,
            session_vars=SOCKETS[ALICE.session_id].session_vars,
            expires_at=SOCKETS[ALICE.session_id].token_exp,
            address=SOCKETS[ALICE.session_id].address,
            lang="de",
        )
    ]


async def test_a_refusal_of_a_function_is_told_with_its_text() -> None:
    world = empty_world(functions=KnownFunctions({"f": refuse}))

    with pytest.raises(RequestError, match="no") as refused:
        await rpc.call(world, ALICE, Rpc(id="f", payload="no"))

    assert refused.value.code is ErrorCode.RUNTIME_FUNCTION_EXCEPTION
