"""All messages, by topic; and by wire name, what clients and what servers may send."""

from collections.abc import Iterable, Mapping

from protocol.message import Member, Message
from protocol.messages.channel import (
    Channel,
    ChannelJoin,
    ChannelLeave,
    ChannelMessage,
    ChannelMessageAck,
    ChannelMessageRemove,
    ChannelMessageSend,
    ChannelMessageUpdate,
    ChannelPresenceEvent,
)
from protocol.messages.control import Error, Ping, Pong
from protocol.messages.match import (
    Match,
    MatchCreate,
    MatchData,
    MatchDataSend,
    MatchJoin,
    MatchLeave,
    MatchPresenceEvent,
)
from protocol.messages.matchmaker import (
    MatchmakerAdd,
    MatchmakerMatched,
    MatchmakerRemove,
    MatchmakerTicket,
    MatchmakerUser,
)
from protocol.messages.notification import Notification, Notifications
from protocol.messages.party import (
    Party,
    PartyAccept,
    PartyClose,
    PartyCreate,
    PartyData,
    PartyDataSend,
    PartyJoin,
    PartyJoinRequest,
    PartyJoinRequestList,
    PartyLeader,
    PartyLeave,
    PartyMatchmakerAdd,
    PartyMatchmakerRemove,
    PartyMatchmakerTicket,
    PartyPresenceEvent,
    PartyPromote,
    PartyRemove,
    PartyUpdate,
)
from protocol.messages.presence import UserPresence
from protocol.messages.rpc import Rpc
from protocol.messages.status import Status, StatusFollow, StatusPresenceEvent, StatusUnfollow, StatusUpdate
from protocol.messages.stream import Stream, StreamData, StreamPresenceEvent


def _gather(members: Iterable[tuple[Member | None, type[Message]]]) -> Mapping[str, type[Message]]:
    """By wire name. Raises ValueError if two messages share a name or a number."""
    found: dict[str, type[Message]] = {}
    numbers: dict[int, type[Message]] = {}
    for member, message in members:
        if member is None:
            continue
        if member.name in found or member.number in numbers:
            raise ValueError(f"{message.__name__} takes the place of another message")
        found[member.name] = numbers[member.number] = message
    return found


ALL: tuple[type[Message], ...] = (
    UserPresence,
    Ping,
    Pong,
    Error,
    Status,
    StatusFollow,
    StatusPresenceEvent,
    StatusUnfollow,
    StatusUpdate,
    Match,
    MatchCreate,
    MatchData,
    MatchDataSend,
    MatchJoin,
    MatchLeave,
    MatchPresenceEvent,
    MatchmakerAdd,
    MatchmakerUser,
    MatchmakerMatched,
    MatchmakerRemove,
    MatchmakerTicket,
    Party,
    PartyCreate,
    PartyUpdate,
    PartyJoin,
    PartyLeave,
    PartyPromote,
    PartyLeader,
    PartyAccept,
    PartyRemove,
    PartyClose,
    PartyJoinRequestList,
    PartyJoinRequest,
    PartyMatchmakerAdd,
    PartyMatchmakerRemove,
    PartyMatchmakerTicket,
    PartyData,
    PartyDataSend,
    PartyPresenceEvent,
    Channel,
    ChannelJoin,
    ChannelLeave,
    ChannelMessage,
    ChannelMessageAck,
    ChannelMessageSend,
    ChannelMessageUpdate,
    ChannelMessageRemove,
    ChannelPresenceEvent,
    Notification,
    Notifications,
    Stream,
    StreamData,
    StreamPresenceEvent,
    Rpc,
)

INCOMING = _gather((message.from_client, message) for message in ALL)
OUTGOING = _gather((message.from_server, message) for message in ALL)

__all__ = [
    "ALL",
    "INCOMING",
    "OUTGOING",
    "Channel",
    "ChannelJoin",
    "ChannelLeave",
    "ChannelMessage",
    "ChannelMessageAck",
    "ChannelMessageRemove",
    "ChannelMessageSend",
    "ChannelMessageUpdate",
    "ChannelPresenceEvent",
    "Error",
    "Match",
    "MatchCreate",
    "MatchData",
    "MatchDataSend",
    "MatchJoin",
    "MatchLeave",
    "MatchPresenceEvent",
    "MatchmakerAdd",
    "MatchmakerMatched",
    "MatchmakerRemove",
    "MatchmakerTicket",
    "MatchmakerUser",
    "Notification",
    "Notifications",
    "Party",
    "PartyAccept",
    "PartyClose",
    "PartyCreate",
    "PartyData",
    "PartyDataSend",
    "PartyJoin",
    "PartyJoinRequest",
    "PartyJoinRequestList",
    "PartyLeader",
    "PartyLeave",
    "PartyMatchmakerAdd",
    "PartyMatchmakerRemove",
    "PartyMatchmakerTicket",
    "PartyPresenceEvent",
    "PartyPromote",
    "PartyRemove",
    "PartyUpdate",
    "Ping",
    "Pong",
    "Rpc",
    "Status",
    "StatusFollow",
    "StatusPresenceEvent",
    "StatusUnfollow",
    "StatusUpdate",
    "Stream",
    "StreamData",
    "StreamPresenceEvent",
    "UserPresence",
]
