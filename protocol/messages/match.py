"""Matches: membership and data."""

from typing import Annotated

from protocol.message import Field, Int32, Int64, Message, incoming, outgoing
from protocol.messages.presence import UserPresence


@outgoing("match", 12)
class Match(Message, frozen=True):
    """The answer to creating or joining a match."""

    match_id: Annotated[str, Field(1)] = ""
    authoritative: Annotated[bool, Field(2)] = False
    label: Annotated[str | None, Field(3)] = None
    size: Annotated[Int32, Field(4)] = 0
    presences: Annotated[tuple[UserPresence, ...], Field(5)] = ()
    self: Annotated[UserPresence | None, Field(6)] = None


@incoming("match_create", 13)
class MatchCreate(Message, frozen=True):
    """Open a relayed match; the same name is the same match."""

    name: Annotated[str, Field(1)] = ""


@outgoing("match_data", 14)
class MatchData(Message, frozen=True):
    """Data that a member, or the match itself, sent."""

    match_id: Annotated[str, Field(1)] = ""
    presence: Annotated[UserPresence | None, Field(2)] = None
    op_code: Annotated[Int64, Field(3)] = 0
    data: Annotated[bytes, Field(4)] = b""
    reliable: Annotated[bool, Field(5)] = False


@incoming("match_data_send", 15)
class MatchDataSend(Message, frozen=True):
    """Pass data on to the other members, or to those named."""

    match_id: Annotated[str, Field(1)] = ""
    op_code: Annotated[Int64, Field(2)] = 0
    data: Annotated[bytes, Field(3)] = b""
    presences: Annotated[tuple[UserPresence, ...], Field(4)] = ()
    reliable: Annotated[bool, Field(5)] = False


@incoming("match_join", 16)
class MatchJoin(Message, frozen=True):
    """Enter a match, by its id or by a token that invites to it."""

    match_id: Annotated[str | None, Field(1, "id")] = None
    token: Annotated[str | None, Field(2, "id")] = None
    metadata: Annotated[dict[str, str], Field(3)] = {}


@incoming("match_leave", 17)
class MatchLeave(Message, frozen=True):
    """Leave a match."""

    match_id: Annotated[str, Field(1)] = ""


@outgoing("match_presence_event", 18)
class MatchPresenceEvent(Message, frozen=True):
    """Members joined or left a match."""

    match_id: Annotated[str, Field(1)] = ""
    joins: Annotated[tuple[UserPresence, ...], Field(2)] = ()
    leaves: Annotated[tuple[UserPresence, ...], Field(3)] = ()
