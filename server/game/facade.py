"""What `server` stands for in game code: the running server's cores, asked by the names of the public API."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from protocol.close import CloseReason
from protocol.errors import RequestError
from protocol.messages import UserPresence
from server.core.live_match import MatchFilter
from server.core.live_match import NoSuchMatch as NotFound
from server.core.stream import StreamError, custom_stream
from server.effects import Disconnect, Effects
from server.effects import Stream as Place
from server.matches.registry import CannotCreate, MatchRegistry
from server.runtime.api import MatchInfo, NoSuchMatch, NotPossible, Presence, Storage, Stream
from server.runtime.match import Match
from server.storage.failures import StorageUnavailable
from server.world import World

MAX_LISTED = 100


class LiveServer:
    """The public API `GameServer` on the running server."""

    def __init__(
        self,
        world: World,
        matches: MatchRegistry,
        perform: Callable[[Effects], None],
        storage: Storage,
    ) -> None:
        self.storage = storage
        self._world = world
        self._matches = matches
        self._perform = perform

    async def create_match(self, kind: type[Match] | str, params: Mapping[str, Any] | None = None) -> str:
        name = kind if isinstance(kind, str) else kind.__name__
        try:
            return self._matches.create(name, dict(params or {}))
        except CannotCreate as error:
            raise NotPossible(str(error)) from error

    async def list_matches(
        self,
        query: str | None = None,
        *,
        label: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        limit: int = 10,
    ) -> Sequence[MatchInfo]:
        if not 1 <= limit <= MAX_LISTED:
            raise NotPossible(f"limit must be 1..{MAX_LISTED}")
        try:
            found = await self._matches.find(MatchFilter(limit, query, label, min_size, max_size))
        except ValueError as error:
            raise NotPossible(str(error)) from None
        return [
            MatchInfo(each.match_id, each.label, each.size, each.tick_rate, each.handler_name)
            for each in found
        ]

    async def signal(self, match_id: str, data: str = "") -> str:
        try:
            return self._matches.signal(match_id, data)
        except NotFound:
            raise NoSuchMatch("no such match") from None

    async def notify(
        self,
        user_id: str,
        subject: str,
        content: Mapping[str, Any],
        *,
        code: int = 1,
        sender_id: str = "",
        persistent: bool = False,
    ) -> None:
        if code <= 0:
            raise NotPossible("codes of notifications from 0 down are the server's own")
        try:
            told = await self._world.notifier.notify(
                user_id, subject, content, code, sender_id=sender_id, persistent=persistent
            )
        except (ValueError, RequestError) as error:
            raise NotPossible(str(error)) from None
        except StorageUnavailable:
            raise NotPossible("storage is not available") from None
        if persistent and not told:
            raise NotPossible("there is no such player")

    async def stream_join(
        self, stream: Stream, session_id: str, *, hidden: bool = False, persistence: bool = True
    ) -> None:
        streams = self._world.streams
        self._ask(
            lambda place: streams.join(place, session_id, hidden=hidden, persistence=persistence), stream
        )

    async def stream_leave(self, stream: Stream, session_id: str) -> None:
        self._ask(lambda place: self._world.streams.leave(place, session_id), stream)

    async def stream_close(self, stream: Stream) -> None:
        self._world.streams.end(_place(stream))

    async def stream_members(self, stream: Stream, *, hidden: bool = False) -> Sequence[Presence]:
        return [_shown(each) for each in self._world.streams.members(_place(stream), hidden=hidden)]

    async def stream_send(
        self, stream: Stream, data: str, *, to: Sequence[str] | None = None, reliable: bool = True
    ) -> None:
        self._ask(lambda place: self._world.streams.send(place, data, to=to, reliable=reliable), stream)

    async def disconnect(self, session_id: str) -> bool:
        if session_id not in self._world.connected:
            return False
        self._perform([Disconnect(session_id, CloseReason.DISCONNECTED)])
        return True

    async def sessions(self, user_id: str) -> Sequence[Presence]:
        ids = self._world.statuses.sessions_of(user_id)
        return [_shown(self._world.connected[each].presence) for each in ids if each in self._world.connected]

    def _ask(self, ask: Callable[[Place], Effects], stream: Stream) -> None:
        try:
            effects = ask(_place(stream))
        except StreamError as error:
            raise NotPossible(str(error)) from None
        self._perform(effects)


def _place(stream: Stream) -> Place:
    try:
        return custom_stream(stream.mode, stream.subject, stream.subcontext, stream.label)
    except StreamError as error:
        raise NotPossible(str(error)) from None


def _shown(presence: UserPresence) -> Presence:
    return Presence(presence.user_id, presence.session_id, presence.username)
