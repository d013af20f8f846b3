"""Streams, as the contract has them."""

import pytest

from protocol.envelope import Envelope, encode
from protocol.message import Message
from protocol.messages import stream
from protocol.messages.stream import Stream, StreamData
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(stream))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_the_data_of_a_stream_is_text() -> None:
    message = StreamData(stream=Stream(mode=20, label="l"), data="x")

    assert encode(Envelope(message)) == b'{"stream_data":{"stream":{"mode":20,"label":"l"},"data":"x"}}'
