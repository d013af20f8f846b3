"""Heartbeats and errors, as the contract has them."""

import pytest

from protocol.envelope import Envelope, encode
from protocol.message import Message
from protocol.messages import control
from protocol.messages.control import Error, Ping, Pong
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(control))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_a_ping_and_a_pong_say_nothing_but_that() -> None:
    assert encode(Envelope(Ping())) == b'{"ping":{}}'
    assert encode(Envelope(Pong(), "1")) == b'{"cid":"1","pong":{}}'


def test_an_error_of_code_zero_has_no_code_on_the_wire() -> None:
    assert encode(Envelope(Error(message="m"), "3")) == b'{"cid":"3","error":{"message":"m"}}'
