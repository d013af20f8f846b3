"""Chat: rooms, direct conversations, groups."""

from datetime import datetime
from typing import Annotated

from protocol.message import Field, Int32, Message, incoming, outgoing
from protocol.messages.presence import UserPresence


@outgoing("channel", 2)
class Channel(Message, frozen=True):
    """The answer to joining a channel."""

    id: Annotated[str, Field(1)] = ""
    presences: Annotated[tuple[UserPresence, ...], Field(2)] = ()
    self: Annotated[UserPresence | None, Field(3)] = None
    room_name: Annotated[str, Field(4)] = ""
    group_id: Annotated[str, Field(5)] = ""
    user_id_one: Annotated[str, Field(6)] = ""
    user_id_two: Annotated[str, Field(7)] = ""


@incoming("channel_join", 3)
class ChannelJoin(Message, frozen=True):
    """Enter a room, a direct conversation or a group's channel."""

    target: Annotated[str, Field(1)] = ""
    type: Annotated[Int32, Field(2)] = 0
    persistence: Annotated[bool | None, Field(3)] = None
    hidden: Annotated[bool | None, Field(4)] = None


@incoming("channel_leave", 4)
class ChannelLeave(Message, frozen=True):
    """Leave a channel."""

    channel_id: Annotated[str, Field(1)] = ""


@outgoing("channel_message", 5)
class ChannelMessage(Message, frozen=True):
    """A chat message, or its change or removal."""

    channel_id: Annotated[str, Field(1)] = ""
    message_id: Annotated[str, Field(2)] = ""
    code: Annotated[Int32 | None, Field(3)] = None
    sender_id: Annotated[str, Field(4)] = ""
    username: Annotated[str, Field(5)] = ""
    content: Annotated[str, Field(6)] = ""
    create_time: Annotated[datetime | None, Field(7)] = None
    update_time: Annotated[datetime | None, Field(8)] = None
    persistent: Annotated[bool | None, Field(9)] = None
    room_name: Annotated[str, Field(10)] = ""
    group_id: Annotated[str, Field(11)] = ""
    user_id_one: Annotated[str, Field(12)] = ""
    user_id_two: Annotated[str, Field(13)] = ""


@outgoing("channel_message_ack", 6)
class ChannelMessageAck(Message, frozen=True):
    """The chat message was taken."""

    channel_id: Annotated[str, Field(1)] = ""
    message_id: Annotated[str, Field(2)] = ""
    code: Annotated[Int32 | None, Field(3)] = None
    username: Annotated[str, Field(4)] = ""
    create_time: Annotated[datetime | None, Field(5)] = None
    update_time: Annotated[datetime | None, Field(6)] = None
    persistent: Annotated[bool | None, Field(7)] = None
    room_name: Annotated[str, Field(8)] = ""
    group_id: Annotated[str, Field(9)] = ""
    user_id_one: Annotated[str, Field(10)] = ""
    user_id_two: Annotated[str, Field(11)] = ""


@incoming("channel_message_send", 7)
class ChannelMessageSend(Message, frozen=True):
    """Say something in a channel; `content` is a JSON object as text."""

    channel_id: Annotated[str, Field(1)] = ""
    content: Annotated[str, Field(2)] = ""


@incoming("channel_message_update", 8)
class ChannelMessageUpdate(Message, frozen=True):
    """Change what one said."""

    channel_id: Annotated[str, Field(1)] = ""
    message_id: Annotated[str, Field(2)] = ""
    content: Annotated[str, Field(3)] = ""


@incoming("channel_message_remove", 9)
class ChannelMessageRemove(Message, frozen=True):
    """Take back what one said."""

    channel_id: Annotated[str, Field(1)] = ""
    message_id: Annotated[str, Field(2)] = ""


@outgoing("channel_presence_event", 10)
class ChannelPresenceEvent(Message, frozen=True):
    """Members joined or left a channel."""

    channel_id: Annotated[str, Field(1)] = ""
    joins: Annotated[tuple[UserPresence, ...], Field(2)] = ()
    leaves: Annotated[tuple[UserPresence, ...], Field(3)] = ()
    room_name: Annotated[str, Field(4)] = ""
    group_id: Annotated[str, Field(5)] = ""
    user_id_one: Annotated[str, Field(6)] = ""
    user_id_two: Annotated[str, Field(7)] = ""
