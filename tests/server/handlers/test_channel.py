"""What a client may ask of a channel that it has not joined: the checks, in their order."""

from collections.abc import Callable
from typing import Any

import pytest

from protocol.errors import RequestError
from protocol.messages import ChannelLeave, ChannelMessageRemove, ChannelMessageSend, ChannelMessageUpdate
from server.effects import Reply
from server.handlers import channel
from tests.support.players import ALICE
from tests.support.world import empty_world

LOBBY = "2...lobby"
ID = "11111111-1111-4111-8111-111111111111"


def test_leaving_a_channel_that_one_is_not_in_is_no_error() -> None:
    assert channel.leave(empty_world(), ALICE, ChannelLeave(channel_id=LOBBY)) == [Reply()]


@pytest.mark.parametrize(
    ("handler", "message", "text"),
    [
        (channel.leave, ChannelLeave(channel_id="x"), "Invalid channel identifier"),
        (channel.send, ChannelMessageSend(channel_id="x"), "Invalid channel identifier"),
        (channel.send, ChannelMessageSend(channel_id=LOBBY, content="[]"), "Message content must"),
        (
            channel.send,
            ChannelMessageSend(channel_id=LOBBY, content="{}"),
            "Must join channel before sending messages",
        ),
        (channel.update, ChannelMessageUpdate(channel_id="x"), "Invalid channel identifier"),
        (channel.update, ChannelMessageUpdate(channel_id=LOBBY), "Invalid message identifier"),
        (channel.update, ChannelMessageUpdate(channel_id=LOBBY, message_id=ID), "Message content must"),
        (
            channel.update,
            ChannelMessageUpdate(channel_id=LOBBY, message_id=ID, content="{}"),
            "Must join channel before updating messages",
        ),
        (channel.remove, ChannelMessageRemove(channel_id="x"), "Invalid channel identifier"),
        (channel.remove, ChannelMessageRemove(channel_id=LOBBY), "Invalid message identifier"),
        (
            channel.remove,
            ChannelMessageRemove(channel_id=LOBBY, message_id=ID),
            "Must join channel before removing messages",
        ),
    ],
)
def test_the_first_check_that_fails_is_told(handler: Callable[..., Any], message: Any, text: str) -> None:
    with pytest.raises(RequestError, match=text):
        handler(empty_world(), ALICE, message)
