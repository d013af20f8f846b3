"""The matchmaker, as the contract has it."""

import pytest

from protocol.envelope import Envelope, decode, decode_server, encode
from protocol.message import Message
from protocol.messages import matchmaker
from protocol.messages.matchmaker import MatchmakerAdd, MatchmakerMatched
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(matchmaker))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_a_ticket_carries_its_properties() -> None:
    message = MatchmakerAdd(
        min_count=2, max_count=4, query="*", string_properties={"a": "b"}, numeric_properties={"n": 15.5}
    )

    assert decode(encode(Envelope(message))).message == message


def test_a_match_is_named_by_its_id_or_by_a_token() -> None:
    with pytest.raises(ValueError):
        decode_server(b'{"matchmaker_matched":{"match_id":"m.n","token":"t"}}')
    assert decode_server(b'{"matchmaker_matched":{"token":"t"}}').message == MatchmakerMatched(token="t")
