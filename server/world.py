"""What handlers work on: the cores and the ports to the outside, in one frozen bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from server.core.match import Matches
from server.core.presence import Presences
from server.core.status import Statuses


class KnownUser(Protocol):
    """An account as far as other players may see it."""

    @property
    def id(self) -> str: ...
    @property
    def username(self) -> str: ...


class Users(Protocol):
    """Port: who has an account."""

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> Sequence[KnownUser]:
        """The accounts among these; unknown ones are absent."""
        ...


class MatchTokens(Protocol):
    """Port: tokens that let their bearer into a match."""

    def match_id(self, token: str) -> str | None:
        """The match a token names; None when it is not ours or has expired."""
        ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything a handler may use."""

    presences: Presences
    statuses: Statuses
    matches: Matches
    users: Users
    match_tokens: MatchTokens
    new_id: Callable[[], str]
