"""Parties, as the contract has them."""

import pytest

from protocol.envelope import Envelope, decode, decode_server, encode
from protocol.message import Message
from protocol.messages import party
from protocol.messages.party import PartyClose, PartyData, PartyUpdate
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(party))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


@pytest.mark.parametrize("message", [PartyClose(party_id="p"), PartyUpdate(party_id="p", open=True)])
def test_some_messages_go_both_ways(message: PartyClose | PartyUpdate) -> None:
    written = encode(Envelope(message))

    assert decode(written).message == decode_server(written).message == message


def test_op_codes_of_64_bits_are_text() -> None:
    assert b'"op_code":"9007199254740993"' in encode(Envelope(PartyData(op_code=2**53 + 1)))
