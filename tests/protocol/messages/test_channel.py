"""Chat, as the contract has it."""

import pytest

from protocol.envelope import Envelope, decode, encode
from protocol.message import Message
from protocol.messages import channel
from protocol.messages.channel import ChannelJoin, ChannelMessage
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(channel))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_a_message_always_tells_code_and_persistence() -> None:
    written = encode(Envelope(ChannelMessage(code=0, persistent=False)))

    assert written == b'{"channel_message":{"code":0,"persistent":false}}'


def test_defaults_of_joining_differ_from_false() -> None:
    assert decode(b'{"channel_join":{"hidden":false}}').message == ChannelJoin(hidden=False)
    assert ChannelJoin(hidden=False) != ChannelJoin()
