"""A world of empty cores, with the ports that handlers ask played by dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol.errors import ErrorCode, RequestError
from protocol.messages import ChannelMessage, UserPresence
from server.core.channel import REMOVED, SENT, UPDATED, Channels, Chat, told
from server.core.function import Caller, Function, NoSuchFunction
from server.core.live_match import LiveMembers
from server.core.match import Matches
from server.core.matchmaker import Limits, Matchmaker
from server.core.party import Parties
from server.core.presence import Presences
from server.core.status import Statuses
from server.core.stream import Streams
from server.effects import Stream
from server.world import LiveMatches, Notifier, World
from tests.support.live_matches import NoLiveMatches
from tests.support.players import ALICE, BOB, CAROL, NEW_ID

NOW = 1_800_000_000.0


@dataclass(frozen=True)
class Known:
    """An account that exists."""

    id: str
    username: str


class KnownUsers:
    """Accounts by id, as `name`; keeps what it was asked."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._names = dict(names or {})
        self.asked: list[tuple[list[str], list[str]]] = []

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> Sequence[Known]:
        self.asked.append((list(ids), list(usernames)))
        return [
            Known(user_id, name)
            for user_id, name in self._names.items()
            if user_id in ids or name in usernames
        ]


class Invitations:
    """Match tokens that are good, and where they lead."""

    def __init__(self, good: Mapping[str, str] | None = None) -> None:
        self._good = dict(good or {})

    def match_id(self, token: str) -> str | None:
        return self._good.get(token)


@dataclass(frozen=True)
class FreshPair:
    """Tokens, as a refresh gives them."""

    token: str
    refresh_token: str


class RefreshableLogins:
    """Every refresh token is good but `bad`; keeps what was shown to it."""

    def __init__(self) -> None:
        self.shown: list[tuple[object, ...]] = []

    async def refresh(
        self, session_id: str, refresh_token: str, session_vars: Mapping[str, str]
    ) -> FreshPair:
        self._take(session_id, refresh_token, dict(session_vars))
        return FreshPair("new session", "new refresh")

    def show(self, session_id: str, session_token: str) -> int:
        self._take(session_id, session_token)
        return 1_800_007_200

    def _take(self, session_id: str, token: str, *more: object) -> None:
        if token == "bad":
            raise RequestError(ErrorCode.RUNTIME_FUNCTION_EXCEPTION, "refused")
        self.shown.append((session_id, token, *more))


@dataclass(frozen=True)
class Socket:
    """What is known of a player's socket."""

    presence: UserPresence
    session_vars: Mapping[str, str]
    token_exp: int
    address: str
    lang: str


PLAYERS = {player.session_id: player for player in (ALICE, BOB, CAROL)}
SOCKETS = {
    player.session_id: Socket(player, {"role": "admin"}, 1_800_007_200, "203.0.113.7", "de")
    for player in PLAYERS.values()
}


class KnownFunctions:
    """Functions of the game, without a fence; keeps the callers."""

    def __init__(self, functions: Mapping[str, Function] | None = None) -> None:
        self._functions = dict(functions or {})
        self.callers: list[Caller] = []

    def knows(self, name: str) -> bool:
        return name.lower() in self._functions

    async def call(self, name: str, caller: Caller, payload: str) -> str:
        self.callers.append(caller)
        if not self.knows(name):
            raise NoSuchFunction
        return await self._functions[name.lower()](caller, payload)


class KeptChat:
    """Takes whatever is said, and keeps it; at a second of the test's own."""

    def __init__(self) -> None:
        self.said: list[tuple[Stream, ChannelMessage]] = []

    async def send(self, stream: Stream, member: UserPresence, content: str) -> ChannelMessage:
        return self._say(stream, member, NEW_ID, content, SENT)

    async def update(
        self, stream: Stream, member: UserPresence, message_id: str, content: str
    ) -> ChannelMessage:
        return self._say(stream, member, message_id, content, UPDATED)

    async def remove(self, stream: Stream, member: UserPresence, message_id: str) -> ChannelMessage:
        return self._say(stream, member, message_id, "{}", REMOVED)

    def _say(
        self, stream: Stream, member: UserPresence, message_id: str, content: str, code: int
    ) -> ChannelMessage:
        message = told(stream, member, message_id, content, code=code, created=1, updated=2)
        self.said.append((stream, message))
        return message


class NotedNews:
    """Keeps who was to be told what; without a database, it tells nobody."""

    def __init__(self, *, broken: bool = False) -> None:
        self._broken = broken
        self.news: list[tuple[object, ...]] = []

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
        self.news.append((user_id, subject, dict(content), code, sender_id, persistent))
        return True

    async def ask_to_chat(self, user_id: str, sender: UserPresence) -> None:
        self.news.append((user_id, sender.user_id))
        if self._broken:
            raise RequestError(ErrorCode.RUNTIME_EXCEPTION, "Storage unavailable")


def empty_world(
    users: KnownUsers | None = None,
    invitations: Invitations | None = None,
    live_logins: RefreshableLogins | None = None,
    functions: KnownFunctions | None = None,
    live_matches: LiveMatches | None = None,
    chat: Chat | None = None,
    notifier: Notifier | None = None,
    *,
    single_match: bool = False,
) -> World:
    presences, matchmaker = Presences(), Matchmaker(Limits())
    live_matches = live_matches or NoLiveMatches()
    return World(
        presences=presences,
        statuses=Statuses(presences, follows_per_session=10),
        matches=Matches(presences, matches_per_session=10),
        matchmaker=matchmaker,
        parties=Parties(presences, matchmaker, "node1"),
        live_members=LiveMembers(presences, 10, live_matches.left),
        live_matches=live_matches,
        single_match=single_match,
        streams=Streams(presences, PLAYERS.get, streams_per_session=10),
        channels=Channels(presences, channels_per_session=10, content_bytes=1000),
        chat=chat or KeptChat(),
        notifier=notifier or NotedNews(),
        users=users or KnownUsers(),
        match_tokens=invitations or Invitations(),
        live_logins=live_logins or RefreshableLogins(),
        functions=functions or KnownFunctions(),
        connected=SOCKETS,
        new_id=lambda: NEW_ID,
        now=lambda: NOW,
    )
