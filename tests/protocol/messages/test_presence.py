"""Presences, as the contract has them."""

import msgspec
import pytest

from protocol.message import Message
from protocol.messages import presence
from protocol.messages.presence import UserPresence
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(presence))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_a_status_is_there_even_when_empty_and_persistence_only_when_true() -> None:
    assert msgspec.to_builtins(UserPresence(user_id="u", status="")) == {"user_id": "u", "status": ""}
    assert msgspec.to_builtins(UserPresence(persistence=True)) == {"persistence": True}
