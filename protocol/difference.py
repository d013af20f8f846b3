"""Presence events of one topic, merged: what a receiver has to be told who missed some of them.

Pure. Also which topic an event or a piece of data belongs to, and who speaks, so that whoever holds messages
back can keep a sender's data behind the news that the sender has joined.
"""

from collections.abc import Hashable
from typing import Any

from msgspec.structs import replace

from protocol.message import Message
from protocol.messages import (
    ChannelPresenceEvent,
    MatchData,
    MatchPresenceEvent,
    PartyData,
    PartyPresenceEvent,
    StatusPresenceEvent,
    StreamData,
    StreamPresenceEvent,
    UserPresence,
)

_EVENTS: dict[type[Message], str] = {
    ChannelPresenceEvent: "channel_id",
    MatchPresenceEvent: "match_id",
    PartyPresenceEvent: "party_id",
    StatusPresenceEvent: "",
    StreamPresenceEvent: "stream",
}
"""The field that tells an event's topic; statuses are one topic."""
_DATA: dict[type[Message], tuple[type[Message], str]] = {
    MatchData: (MatchPresenceEvent, "presence"),
    PartyData: (PartyPresenceEvent, "presence"),
    StreamData: (StreamPresenceEvent, "sender"),
}
"""Events of the same topic, and the field that tells who speaks."""

Topic = tuple[type[Message], Hashable]


def topic_of(message: Message) -> Topic | None:
    """The topic of a presence event; None for any other message."""
    kind = type(message)
    field = _EVENTS.get(kind)
    return None if field is None else (kind, getattr(message, field) if field else "")


def is_data(message: Message) -> bool:
    """Whether the message is what a member, or the topic itself, said to the members."""
    return type(message) in _DATA


def speaker_of(message: Message) -> tuple[Topic, str] | None:
    """The topic and the session id of who sent this data; None if nobody did, or it is no data."""
    found = _DATA.get(type(message))
    if found is None:
        return None
    events, field = found
    sender: UserPresence | None = getattr(message, field)
    return None if sender is None else ((events, getattr(message, _EVENTS[events])), sender.session_id)


class Difference:
    """What a sequence of events of one topic comes to. Presences are told apart by their session."""

    __slots__ = ("_joined", "_latest", "_left")

    def __init__(self, event: Any) -> None:
        self._left: dict[str, UserPresence] = {}
        self._joined: dict[str, UserPresence] = {}
        self.add(event)

    def add(self, event: Any) -> None:
        """One more event, whose leaves come before its joins."""
        self._latest = event
        left, joined = self._left, self._joined
        for presence in event.leaves:
            # Who came and went meanwhile was never there; who was there before leaves as it was then.
            if joined.pop(presence.session_id, None) is None:
                left.setdefault(presence.session_id, presence)
        for presence in event.joins:
            joined[presence.session_id] = presence

    def joins(self, session_id: str) -> bool:
        """Whether this session is told to have joined."""
        return session_id in self._joined

    @property
    def is_empty(self) -> bool:
        """Whether in the end nothing has changed."""
        return not self._left and not self._joined

    def event(self) -> Message | None:
        """All in one event; None if it is empty."""
        if self.is_empty:
            return None
        merged: Message = replace(
            self._latest, joins=tuple(self._joined.values()), leaves=tuple(self._left.values())
        )
        return merged
