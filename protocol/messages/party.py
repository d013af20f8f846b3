"""Groups of players that stay together between matches."""

from typing import Annotated

from protocol.message import Field, Int32, Int64, Message, incoming, outgoing
from protocol.messages.presence import UserPresence


@outgoing("party", 34)
class Party(Message, frozen=True):
    """A party as its members see it."""

    party_id: Annotated[str, Field(1)] = ""
    open: Annotated[bool, Field(2)] = False
    hidden: Annotated[bool, Field(3)] = False
    max_size: Annotated[Int32, Field(4)] = 0
    self: Annotated[UserPresence | None, Field(5)] = None
    leader: Annotated[UserPresence | None, Field(6)] = None
    presences: Annotated[tuple[UserPresence, ...], Field(7)] = ()
    label: Annotated[str, Field(8)] = ""


@incoming("party_create", 35)
class PartyCreate(Message, frozen=True):
    """Open a party and lead it."""

    open: Annotated[bool, Field(1)] = False
    max_size: Annotated[Int32, Field(2)] = 0
    label: Annotated[str, Field(3)] = ""
    hidden: Annotated[bool, Field(4)] = False


@incoming("party_update", 51)
@outgoing("party_update", 51)
class PartyUpdate(Message, frozen=True):
    """Change what a party shows of itself; also the news of it."""

    party_id: Annotated[str, Field(1)] = ""
    label: Annotated[str, Field(2)] = ""
    open: Annotated[bool, Field(3)] = False
    hidden: Annotated[bool, Field(4)] = False


@incoming("party_join", 36)
class PartyJoin(Message, frozen=True):
    """Ask to enter a party; a closed one asks its leader first."""

    party_id: Annotated[str, Field(1)] = ""


@incoming("party_leave", 37)
class PartyLeave(Message, frozen=True):
    """Leave a party."""

    party_id: Annotated[str, Field(1)] = ""


@incoming("party_promote", 38)
class PartyPromote(Message, frozen=True):
    """Make another member the leader."""

    party_id: Annotated[str, Field(1)] = ""
    presence: Annotated[UserPresence | None, Field(2)] = None


@outgoing("party_leader", 39)
class PartyLeader(Message, frozen=True):
    """A party has a new leader."""

    party_id: Annotated[str, Field(1)] = ""
    presence: Annotated[UserPresence | None, Field(2)] = None


@incoming("party_accept", 40)
class PartyAccept(Message, frozen=True):
    """Let one in who asked to join."""

    party_id: Annotated[str, Field(1)] = ""
    presence: Annotated[UserPresence | None, Field(2)] = None


@incoming("party_remove", 41)
class PartyRemove(Message, frozen=True):
    """Send a member away, or refuse one who asked."""

    party_id: Annotated[str, Field(1)] = ""
    presence: Annotated[UserPresence | None, Field(2)] = None


@incoming("party_close", 42)
@outgoing("party_close", 42)
class PartyClose(Message, frozen=True):
    """End a party; also the news of it."""

    party_id: Annotated[str, Field(1)] = ""


@incoming("party_join_request_list", 43)
class PartyJoinRequestList(Message, frozen=True):
    """Who asks to join?"""

    party_id: Annotated[str, Field(1)] = ""


@outgoing("party_join_request", 44)
class PartyJoinRequest(Message, frozen=True):
    """These players ask to join."""

    party_id: Annotated[str, Field(1)] = ""
    presences: Annotated[tuple[UserPresence, ...], Field(2)] = ()


@incoming("party_matchmaker_add", 45)
class PartyMatchmakerAdd(Message, frozen=True):
    """Look for others to play with, as a party."""

    party_id: Annotated[str, Field(1)] = ""
    min_count: Annotated[Int32, Field(2)] = 0
    max_count: Annotated[Int32, Field(3)] = 0
    query: Annotated[str, Field(4)] = ""
    string_properties: Annotated[dict[str, str], Field(5)] = {}
    numeric_properties: Annotated[dict[str, float], Field(6)] = {}
    count_multiple: Annotated[Int32 | None, Field(7)] = None


@incoming("party_matchmaker_remove", 46)
class PartyMatchmakerRemove(Message, frozen=True):
    """Stop looking, as a party."""

    party_id: Annotated[str, Field(1)] = ""
    ticket: Annotated[str, Field(2)] = ""


@outgoing("party_matchmaker_ticket", 47)
class PartyMatchmakerTicket(Message, frozen=True):
    """The party's search began under this ticket."""

    party_id: Annotated[str, Field(1)] = ""
    ticket: Annotated[str, Field(2)] = ""


@outgoing("party_data", 48)
class PartyData(Message, frozen=True):
    """Data that a member of the party sent."""

    party_id: Annotated[str, Field(1)] = ""
    presence: Annotated[UserPresence | None, Field(2)] = None
    op_code: Annotated[Int64, Field(3)] = 0
    data: Annotated[bytes, Field(4)] = b""


@incoming("party_data_send", 49)
class PartyDataSend(Message, frozen=True):
    """Pass data on to the other members of a party."""

    party_id: Annotated[str, Field(1)] = ""
    op_code: Annotated[Int64, Field(2)] = 0
    data: Annotated[bytes, Field(3)] = b""


@outgoing("party_presence_event", 50)
class PartyPresenceEvent(Message, frozen=True):
    """Members joined or left a party."""

    party_id: Annotated[str, Field(1)] = ""
    joins: Annotated[tuple[UserPresence, ...], Field(2)] = ()
    leaves: Annotated[tuple[UserPresence, ...], Field(3)] = ()
