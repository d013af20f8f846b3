"""Channels: who is in them, who is seen there, and what is said when messages are sent and changed.

A member chooses, on joining, whether others see it and whether what it says is kept. Where messages are kept
is not known here (`Chat` is the port).
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Protocol

from protocol.errors import ErrorCode, RequestError
from protocol.messages import (
    Channel,
    ChannelMessage,
    ChannelMessageAck,
    ChannelPresenceEvent,
    UserPresence,
)
from server.core.channel_id import DIRECT, MODES, id_of, names_of, other_in, parse_channel
from server.core.identifiers import parse_uuid
from server.core.presence import Presences
from server.effects import Deliver, Effects, Reply, Stream

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SENT, UPDATED, REMOVED = 0, 1, 2
"""Codes of messages: what has become of them."""


class Chat(Protocol):
    """Port: keeps what members say, and then tells it to all in the channel, the sender included.

    `member` is the sender's presence in the channel: it says whether messages are kept. What is returned is
    what the channel was told. Raises `RequestError`, having told nobody.
    """

    async def send(self, stream: Stream, member: UserPresence, content: str) -> ChannelMessage: ...
    async def update(
        self, stream: Stream, member: UserPresence, message_id: str, content: str
    ) -> ChannelMessage: ...
    async def remove(self, stream: Stream, member: UserPresence, message_id: str) -> ChannelMessage: ...


class Channels:
    """The channels that somebody is in, as streams of presences."""

    def __init__(self, presences: Presences, *, channels_per_session: int, content_bytes: int) -> None:
        self._presences = presences
        self._channels_per_session = channels_per_session
        self._content_bytes = content_bytes
        self._hidden: dict[Stream, set[str]] = {}
        """Every channel with somebody in it, and the sessions there that nobody sees."""
        self.refused = 0
        """Joins of sessions that were in as many channels as they may."""

    def __len__(self) -> int:
        return len(self._hidden)

    def missing_from(self, me: UserPresence, stream: Stream) -> str | None:
        """The player whom a newcomer to a direct conversation will not find there; None if all is well.

        Raises `RequestError` when the newcomer is in too many channels.
        """
        members = self._presences.members(stream)
        if me.session_id in members:
            return None
        self._check_room(me)
        other = other_in(stream, me.user_id)
        here = other == me.user_id or any(each.user_id == other for each in members.values())
        return None if stream.mode != DIRECT or here else other

    def join(self, me: UserPresence, stream: Stream, *, persistence: bool, hidden: bool) -> Effects:
        """Enter a channel. Who is in it already stays as it is. Raises `RequestError` when in too many."""
        before = self._seen(stream)
        known = self._presences.members(stream).get(me.session_id)
        if known is not None:
            return [Reply(_channel(stream, before, known))]
        self._check_room(me)
        mine = UserPresence(
            user_id=me.user_id, session_id=me.session_id, username=me.username, persistence=persistence
        )
        self._presences.track(stream, mine)
        unseen = self._hidden.setdefault(stream, set())
        reply = Reply(_channel(stream, before, mine))
        if hidden:
            unseen.add(me.session_id)
            return [reply]
        return [reply, _event(stream, joins=(mine,))]

    def leave(self, me: UserPresence, channel_id: str) -> Effects:
        """Leave a channel. Leaving one that the session is not in is no error."""
        return [Reply(), *self._exit(me, parse_channel(channel_id))]

    def close(self, me: UserPresence) -> Effects:
        """A session ends: it leaves all its channels."""
        streams = [each for mode in MODES for each in self._presences.streams_of(me.session_id, mode)]
        return [effect for stream in streams for effect in self._exit(me, stream)]

    def member(self, me: UserPresence, stream: Stream, doing: str) -> UserPresence:
        """The session's presence in a channel. Raises `RequestError`, with `doing` in its text, if none."""
        presence = self._presences.members(stream).get(me.session_id)
        if presence is None:
            raise RequestError(ErrorCode.BAD_INPUT, f"Must join channel before {doing} messages")
        return presence

    def check_content(self, content: str) -> None:
        """Raises `RequestError` unless `content` is the text of a JSON object, and not too long."""
        try:
            too_long = len(content.encode()) > self._content_bytes
            good = too_long or isinstance(json.loads(content, parse_constant=_none, parse_int=str), dict)
        except (ValueError, RecursionError):
            too_long = good = False
        if not good:
            raise RequestError(ErrorCode.BAD_INPUT, "Message content must be a valid JSON object")
        if too_long:
            raise RequestError(
                ErrorCode.BAD_INPUT, f"Message content must not be longer than {self._content_bytes} bytes"
            )

    def _check_room(self, me: UserPresence) -> None:
        held = sum(1 for mode in MODES for _ in self._presences.streams_of(me.session_id, mode))
        if held >= self._channels_per_session:
            self.refused += 1
            raise RequestError(
                ErrorCode.BAD_INPUT, f"Cannot be in more than {self._channels_per_session} channels"
            )

    def _seen(self, stream: Stream) -> tuple[UserPresence, ...]:
        unseen = self._hidden.get(stream, ())
        members = self._presences.members(stream)
        return tuple(presence for session_id, presence in members.items() if session_id not in unseen)

    def _exit(self, me: UserPresence, stream: Stream) -> Effects:
        gone = self._presences.untrack(stream, me.session_id)
        if gone is None:
            return []
        unseen = self._hidden[stream]
        was_hidden = me.session_id in unseen
        unseen.discard(me.session_id)
        if not self._presences.members(stream):
            del self._hidden[stream]
            return []
        return [] if was_hidden else [_event(stream, leaves=(gone,))]


def check_message_id(message_id: str) -> str:
    """The canonical form of the id of a chat message. Raises `RequestError` if it is none."""
    found = parse_uuid(message_id)
    if found is None:
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid message identifier")
    return found


def told(
    stream: Stream,
    member: UserPresence,
    message_id: str,
    content: str,
    *,
    code: int = SENT,
    created: int,
    updated: int,
) -> ChannelMessage:
    """What a channel hears of a message; times in Unix microseconds."""
    return ChannelMessage(
        channel_id=id_of(stream),
        message_id=message_id,
        code=code,
        sender_id=member.user_id,
        username=member.username,
        content=content,
        create_time=_EPOCH + timedelta(microseconds=created),
        update_time=_EPOCH + timedelta(microseconds=updated),
        persistent=member.persistence,
        **names_of(stream),
    )


def ack_of(message: ChannelMessage) -> ChannelMessageAck:
    """What the sender of a message is answered."""
    return ChannelMessageAck(
        channel_id=message.channel_id,
        message_id=message.message_id,
        code=message.code,
        username=message.username,
        create_time=message.create_time,
        update_time=message.update_time,
        persistent=message.persistent,
        room_name=message.room_name,
        group_id=message.group_id,
        user_id_one=message.user_id_one,
        user_id_two=message.user_id_two,
    )


def _channel(stream: Stream, presences: tuple[UserPresence, ...], mine: UserPresence) -> Channel:
    return Channel(id=id_of(stream), presences=presences, self=mine, **names_of(stream))


def _event(
    stream: Stream, *, joins: tuple[UserPresence, ...] = (), leaves: tuple[UserPresence, ...] = ()
) -> Deliver:
    event = ChannelPresenceEvent(channel_id=id_of(stream), joins=joins, leaves=leaves, **names_of(stream))
    return Deliver(stream, event)


def _none(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")
