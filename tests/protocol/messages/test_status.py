"""Status, as the contract has it."""

import pytest

from protocol.envelope import Envelope, decode, encode
from protocol.message import Message
from protocol.messages import status
from protocol.messages.status import StatusFollow, StatusUpdate
from tests.support.contract import declared_in, published, shape


@pytest.mark.parametrize("message", declared_in(status))
def test_fields_and_numbers_are_the_published_ones(message: type[Message]) -> None:
    assert shape(message) == published(message)


def test_going_offline_differs_from_an_empty_status() -> None:
    assert decode(b'{"status_update":{}}').message == StatusUpdate(status=None)
    assert decode(b'{"status_update":{"status":""}}').message == StatusUpdate(status="")


def test_users_are_followed_by_id_and_by_name() -> None:
    message = StatusFollow(user_ids=("u",), usernames=("ann", "bob"))

    assert decode(encode(Envelope(message))).message == message
