"""Matches, as the contract has them."""

import pytest

from protocol.envelope import Envelope, decode, decode_server, encode
from protocol.message import Message
from protocol.messages import match
from protocol.messages.match import MatchData, MatchJoin
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(match))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_a_match_id_that_is_empty_differs_from_none_given() -> None:
    assert decode(b'{"match_join":{"match_id":""}}').message == MatchJoin(match_id="")
    assert decode(b'{"match_join":{}}').message == MatchJoin()


def test_data_of_any_bytes_goes_round() -> None:
    message = MatchData(match_id="m.", op_code=-(2**63), data=bytes(range(256)))

    assert decode_server(encode(Envelope(message))).message == message
