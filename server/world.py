"""What handlers work on: the cores and the ports to the outside, in one frozen bundle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocol.messages import MatchDataSend, UserPresence
from server.core.channel import Channels, Chat
from server.core.function import Caller
from server.core.live_match import Left, LiveMatch, LiveMembers, MatchFilter
from server.core.match import Matches
from server.core.matchmaker import Matchmaker
from server.core.party import Parties
from server.core.presence import Presences
from server.core.status import Statuses
from server.core.stream import Streams


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


class Notifier(Protocol):
    """Port: tells players something, also those who are away."""

    async def notify(
        self,
        user_id: str,
        subject: str,
        content: Mapping[str, object],
        code: int,
        *,
        sender_id: str = "",
        persistent: bool = True,
    ) -> bool:
        """Tell a player now, and with `persistent` also whenever they ask. False: nobody was to be told.

        Raises ValueError for what is too long or no JSON, and RequestError.
        """
        ...

    async def ask_to_chat(self, user_id: str, sender: UserPresence) -> None:
        """Tell a player that another one wants to chat. Raises RequestError."""
        ...


class MatchTokens(Protocol):
    """Port: tokens that let their bearer into a match."""

    def match_id(self, token: str) -> str | None:
        """The match a token names; None when it is not ours or has expired."""
        ...


class TokenPair(Protocol):
    """Fresh tokens of a login."""

    @property
    def token(self) -> str: ...
    @property
    def refresh_token(self) -> str: ...


class LiveLogins(Protocol):
    """Port: the login that an open socket belongs to. Its tokens alone are taken."""

    async def refresh(
        self, session_id: str, refresh_token: str, session_vars: Mapping[str, str]
    ) -> TokenPair:
        """Rotate the login's tokens, as over HTTP. Raises RequestError."""
        ...

    def show(self, session_id: str, session_token: str) -> int:
        """Take note of a newer session token. Returns the Unix second at which the newest one ends.

        Raises RequestError.
        """
        ...


class Functions(Protocol):
    """Port: the functions that the game offers as remote calls."""

    def knows(self, name: str) -> bool:
        """Whether there is a function of this name."""
        ...

    async def call(self, name: str, caller: Caller, payload: str) -> str:
        """The answer's payload; the name's case does not count. Raises FunctionError and NoSuchFunction."""
        ...


class LiveMatches(Protocol):
    """Port: the matches that the server runs. Ids are canonical.

    The members are kept in `LiveMembers`: whoever `join` has taken in becomes one at once, and `left` tells
    of everyone who is one no more.
    """

    async def find(self, wanted: MatchFilter) -> Sequence[LiveMatch]:
        """The matches to list, in order. Raises ValueError for a query that is none."""
        ...

    async def join(self, me: UserPresence, match_id: str, metadata: Mapping[str, str]) -> str:
        """Ask a match to take somebody in. Returns its label.

        Raises NoSuchMatch and JoinRefused. Cancelled when the player goes away or the answer takes too long.
        """
        ...

    def label(self, match_id: str) -> str:
        """The label of a match. Raises NoSuchMatch."""
        ...

    def receive(self, me: UserPresence, message: MatchDataSend) -> None:
        """Take what a member sent. What cannot be taken is dropped."""
        ...

    def left(self, me: UserPresence, match_id: str, why: Left) -> None:
        """A member has left."""
        ...


class Connected(Protocol):
    """What is known of an open socket."""

    @property
    def presence(self) -> UserPresence: ...
    @property
    def session_vars(self) -> Mapping[str, str]: ...
    @property
    def token_exp(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def lang(self) -> str: ...


def caller_of(me: UserPresence, socket: Connected) -> Caller:
    """Who calls a function of the game over this socket."""
    return Caller(
        user_id=me.user_id,
        username=me.username,
        session_id=me.session_id,
        session_vars=socket.session_vars,
        expires_at=socket.token_exp,
        address=socket.address,
        lang=socket.lang,
    )


@dataclass(frozen=True, slots=True)
class World:
    """Everything a handler may use."""

    presences: Presences
    statuses: Statuses
    matches: Matches
    matchmaker: Matchmaker
    parties: Parties
    live_members: LiveMembers
    live_matches: LiveMatches
    single_match: bool
    """Whether a session that joins a match leaves the others."""
    streams: Streams
    """For game code."""
    channels: Channels
    chat: Chat
    notifier: Notifier
    users: Users
    match_tokens: MatchTokens
    live_logins: LiveLogins
    functions: Functions
    connected: Mapping[str, Connected]
    """The open sockets by session id."""
    new_id: Callable[[], str]
    now: Callable[[], float]
    """Seconds since the Unix epoch."""
