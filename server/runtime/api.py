"""What game code may ask of the server it runs in: `from server.runtime import server`.

Everything is async, so it is for remote calls, hooks, and functions that a match starts with
`dispatcher.spawn`; a match's own callbacks are synchronous and cannot wait.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, cast

from server.runtime.match import Match
from server.runtime.objects import (
    ANY_VERSION,
    Ack,
    ObjectId,
    ObjectWrite,
    Readable,
    StoredObject,
    Writable,
)


class NotPossible(ValueError):
    """The server cannot do what game code asked for; the text says why."""


class NoSuchMatch(NotPossible):
    """No match runs under this id."""


@dataclass(frozen=True, slots=True)
class MatchInfo:
    """A running match, as listings show it."""

    match_id: str
    label: str
    size: int
    """Its members."""
    tick_rate: int
    kind: str


@dataclass(frozen=True, slots=True)
class Presence:
    """A player's socket."""

    user_id: str
    session_id: str
    username: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A place of the game's own that sockets can be on. Modes 0..7 are the server's.

    `subject` and `subcontext` are UUIDs, or empty.
    """

    mode: int
    subject: str = ""
    subcontext: str = ""
    label: str = ""


class Storage(Protocol):
    """Small JSON objects with versions, each of one player or of the server (`user_id` empty).

    All methods raise `ObjectsRefused` when a call is refused as a whole, and NotPossible when the database
    is away. Game code may read and write any object; permissions are for clients.
    """

    async def get(self, collection: str, key: str, user_id: str = "") -> StoredObject | None:
        """One object, or None. Its `value` is the JSON object, its `version` what a later write may name."""
        ...

    async def put(
        self,
        collection: str,
        key: str,
        value: Mapping[str, Any],
        user_id: str = "",
        *,
        version: str = ANY_VERSION,
        permission_read: int = Readable.OWNER,
        permission_write: int = Writable.OWNER,
    ) -> str:
        """Write one object and return its new version.

        `version`: the one it must have (raises `VersionConflict` else), or `ONLY_NEW`. To change what others
        change too: get, change, put with the version you got, and begin again on a conflict.
        """
        ...

    async def delete(
        self, collection: str, key: str, user_id: str = "", *, version: str = ANY_VERSION
    ) -> None:
        """Delete one object; it is no error if it is not there."""
        ...

    async def list(
        self, collection: str, user_id: str | None = None, *, limit: int = 100, cursor: str = ""
    ) -> tuple[Sequence[StoredObject], str]:
        """Objects of a collection by key, of one owner or of all, and the cursor of the next page, or ""."""
        ...

    async def read(self, ids: Sequence[ObjectId]) -> Sequence[StoredObject]:
        """Those of these that are there."""
        ...

    async def write(self, writes: Sequence[ObjectWrite]) -> Sequence[Ack]:
        """Write all of these or none."""
        ...


class GameServer(Protocol):
    """The running server. All methods raise NotPossible for what cannot be."""

    @property
    def storage(self) -> Storage: ...

    async def create_match(self, kind: type[Match] | str, params: Mapping[str, Any] | None = None) -> str:
        """Begin a match of this class, or of the class with this name. Returns its id; it is listed at once.

        `params` go to its `init`.
        """
        ...

    async def list_matches(
        self,
        query: str | None = None,
        *,
        label: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        limit: int = 10,
    ) -> Sequence[MatchInfo]:
        """Running matches by a search over their labels (`+label.mode:arena`), or by their exact label."""
        ...

    async def signal(self, match_id: str, data: str = "") -> str:
        """Ask a match something, and return what its `signal` answers. Raises NoSuchMatch."""
        ...

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
        """Tell a player something: now, and with `persistent` also when they are back. `code` is above 0."""
        ...

    async def stream_join(
        self, stream: Stream, session_id: str, *, hidden: bool = False, persistence: bool = True
    ) -> None:
        """Put a socket on a stream: it is sent what is sent there. The others are told, unless `hidden`."""
        ...

    async def stream_leave(self, stream: Stream, session_id: str) -> None:
        """Take a socket off a stream."""
        ...

    async def stream_close(self, stream: Stream) -> None:
        """Take everybody off a stream. Nobody is told."""
        ...

    async def stream_members(self, stream: Stream, *, hidden: bool = False) -> Sequence[Presence]:
        """Who is on a stream, with `hidden` those too."""
        ...

    async def stream_send(
        self, stream: Stream, data: str, *, to: Sequence[str] | None = None, reliable: bool = True
    ) -> None:
        """Send a text to everybody on a stream, or to those of these session ids that are on it."""
        ...

    async def disconnect(self, session_id: str) -> bool:
        """Close a player's socket. False if it is not open."""
        ...

    async def sessions(self, user_id: str) -> Sequence[Presence]:
        """The open sockets of a player."""
        ...


_CURRENT: ContextVar[GameServer] = ContextVar("game_server")


@contextmanager
def serving(api: GameServer) -> Iterator[None]:
    """Make `api` what `server` stands for, in this task."""
    before = _CURRENT.set(api)
    try:
        yield
    finally:
        _CURRENT.reset(before)


class _Current:
    """Stands for the server that runs the code which asks."""

    def __getattr__(self, name: str) -> Any:
        try:
            api = _CURRENT.get()
        except LookupError:
            raise RuntimeError(
                "no server runs this code: `server` is for remote calls, hooks, and what a match spawns"
            ) from None
        return getattr(api, name)


server = cast(GameServer, _Current())
