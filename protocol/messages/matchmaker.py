"""Finding others to play with."""

from typing import Annotated

from protocol.message import Field, Int32, Message, incoming, outgoing
from protocol.messages.presence import UserPresence


@incoming("matchmaker_add", 19)
class MatchmakerAdd(Message, frozen=True):
    """Look for others to play with."""

    min_count: Annotated[Int32, Field(1)] = 0
    max_count: Annotated[Int32, Field(2)] = 0
    query: Annotated[str, Field(3)] = ""
    string_properties: Annotated[dict[str, str], Field(4)] = {}
    numeric_properties: Annotated[dict[str, float], Field(5)] = {}
    count_multiple: Annotated[Int32 | None, Field(6)] = None


class MatchmakerUser(Message, frozen=True):
    """One of those who were matched."""

    presence: Annotated[UserPresence | None, Field(1)] = None
    party_id: Annotated[str, Field(2)] = ""
    string_properties: Annotated[dict[str, str], Field(5)] = {}
    numeric_properties: Annotated[dict[str, float], Field(6)] = {}


@outgoing("matchmaker_matched", 20)
class MatchmakerMatched(Message, frozen=True):
    """Others were found: join the match named, or by the token."""

    ticket: Annotated[str, Field(1)] = ""
    match_id: Annotated[str | None, Field(2, "id")] = None
    token: Annotated[str | None, Field(3, "id")] = None
    users: Annotated[tuple[MatchmakerUser, ...], Field(4)] = ()
    self: Annotated[MatchmakerUser | None, Field(5)] = None


@incoming("matchmaker_remove", 21)
class MatchmakerRemove(Message, frozen=True):
    """Stop looking."""

    ticket: Annotated[str, Field(1)] = ""


@outgoing("matchmaker_ticket", 22)
class MatchmakerTicket(Message, frozen=True):
    """The search began under this ticket."""

    ticket: Annotated[str, Field(1)] = ""
