"""Remote calls, of which there are none yet."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Rpc
from server.handlers import rpc
from tests.support.players import ALICE
from tests.support.world import empty_world


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("", ErrorCode.BAD_INPUT, "RPC ID must be set"),
        ("any", ErrorCode.RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found"),
    ],
)
def test_no_function_is_found(name: str, code: ErrorCode, text: str) -> None:
    with pytest.raises(RequestError, match=text) as refused:
        rpc.call(empty_world(), ALICE, Rpc(id=name))

    assert refused.value.code is code
