"""One party: what it shows, who leads it, and who asks to join. Its members are on its stream."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from protocol.messages import UserPresence
from server.core.party_label import read_label
from server.core.query import Fields
from server.core.query_fields import fields_of
from server.effects import Stream

MODE = 7


class Refusal(StrEnum):
    """Why a party does not do what it is asked, as clients of the reference are told."""

    NOT_FOUND = "party not found"
    FULL = "party full"
    REQUESTS_FULL = "party join requests full"
    DUPLICATE_REQUEST = "party join request duplicate"
    ALREADY_MEMBER = "party join request already member"
    NOT_REQUESTED = "party join request not found"
    NOT_LEADER = "party leader only"
    NOT_MEMBER = "party member not found"
    REMOVE_SELF = "party cannot remove self"
    TOO_MANY = "in too many parties"


class PartyRefused(Exception):
    """A party does not do what it is asked."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(slots=True, eq=False)
class Room:
    """A party while it exists. `number` rises with every party, so it tells which is newer."""

    id: str
    """`<uuid>.<node>`"""
    number: int
    created_at: float
    """Unix seconds."""
    max_size: int
    stream: Stream
    leader: UserPresence
    open: bool = False
    hidden: bool = False
    label: str = "{}"
    fields: Fields = field(default_factory=dict)
    """What queries see."""
    requests: dict[str, UserPresence] = field(default_factory=dict)
    """Who asks to join, by user id, in the order of asking."""

    def show(self, label: str, *, is_open: bool, hidden: bool) -> None:
        """Change what the party shows of itself. Raises LabelError; then nothing changes."""
        self.fields = fields_of(
            {
                "label": read_label(label),
                "open": is_open,
                "max_size": self.max_size,
                "node": self.stream.label,
                "create_time": datetime.fromtimestamp(self.created_at, UTC).isoformat(),
            }
        )
        self.label = label or "{}"
        self.open = is_open
        self.hidden = hidden

    def ask(self, player: UserPresence) -> None:
        """Take a request to join. Raises PartyRefused."""
        if len(self.requests) >= self.max_size:
            raise PartyRefused(Refusal.REQUESTS_FULL)
        if player.user_id in self.requests:
            raise PartyRefused(Refusal.DUPLICATE_REQUEST)
        self.requests[player.user_id] = player

    def requested(self, named: UserPresence) -> UserPresence | None:
        """Who asked to join under this name."""
        asking = self.requests.get(named.user_id)
        return asking if asking is not None and is_same(asking, named) else None


def is_same(one: UserPresence, other: UserPresence) -> bool:
    """Whether both name the same player on the same socket."""
    return (one.user_id, one.session_id, one.username) == (other.user_id, other.session_id, other.username)


def find(players: Iterable[UserPresence], named: UserPresence) -> UserPresence | None:
    """The one of the players who is named."""
    return next((player for player in players if is_same(player, named)), None)
