"""Remote calls: which function an id means, and how it answers."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Rpc
from server.effects import Reply
from server.handlers import rpc
from tests.support.players import ALICE
from tests.support.world import empty_world

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
