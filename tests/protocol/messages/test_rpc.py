"""Remote calls, as the contract has them."""

import pytest

from protocol.envelope import Envelope, decode, decode_server, encode
from protocol.message import Message
from protocol.messages import rpc
from protocol.messages.rpc import Rpc
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(rpc))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_a_payload_is_passed_on_as_it_is() -> None:
    message = Rpc(id="f", payload='{"a":"b:c"}')

    written = encode(Envelope(message, "1"))

    assert decode(written) == decode_server(written) == Envelope(message, "1")
