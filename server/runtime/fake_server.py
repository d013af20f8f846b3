"""A server of one's own for tests of remote calls and hooks: matches are tables, the rest is remembered.

fake = FakeServer(Counting)
with serving(fake):
    answer = await new_game(Caller(username="alice"), "")
table = fake.tables[answer["match_id"]]
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.runtime.api import MatchInfo, NoSuchMatch, NotPossible, Presence, Storage, Stream, serving
from server.runtime.match import Match
from server.runtime.objects import (
    ANY_VERSION,
    ONLY_NEW,
    Ack,
    ObjectId,
    ObjectWrite,
    Readable,
    StoredObject,
    VersionConflict,
    Writable,
    object_text,
)
from server.runtime.testing import Table


@dataclass(frozen=True, slots=True)
class Told:
    """A notification."""

    user_id: str
    subject: str
    content: Mapping[str, Any]
    code: int
    persistent: bool


class FakeServer:
    """Implements `GameServer`. `kinds`: the matches that there are."""

    def __init__(self, *kinds: type[Match]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}
        self.tables: dict[str, Table[Match]] = {}
        """The matches that were made, by id."""
        self.told: list[Told] = []
        self.disconnected: list[str] = []
        self.sent: list[tuple[Stream, str]] = []
        """What was said on streams."""
        self.streams: dict[Stream, dict[str, bool]] = {}
        """Session ids on streams, and whether they are hidden."""
        self.storage: Storage = FakeStorage()

    async def run_spawned(self) -> None:
        """Run what matches have started outside of themselves, and what comes of that."""
        while waiting := [(table, each) for table in self.tables.values() for each in table.spawned]:
            for table, each in waiting:
                table.spawned.remove(each)
                with serving(self):
                    await each.function(*each.arguments)

    async def create_match(self, kind: type[Match] | str, params: Mapping[str, Any] | None = None) -> str:
        made = self._kinds.get(kind) if isinstance(kind, str) else kind
        if made is None:
            raise NotPossible(f"there is no match {kind!r}")
        table = Table(made, params, seed=len(self.tables) + 1)
        self.tables[table.match_id] = table
        return table.match_id

    async def list_matches(
        self,
        query: str | None = None,
        *,
        label: str | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        limit: int = 10,
    ) -> Sequence[MatchInfo]:
        if query not in (None, "", "*"):
            raise NotPossible("a test's server knows no queries: name a label")
        found = []
        for match_id, table in self.tables.items():
            size = len(table.run.players)
            fits = (min_size or 0) <= size <= (size if max_size is None else max_size)
            if table.over is None and fits and label in (None, table.label):
                kind = type(table.match)
                found.append(MatchInfo(match_id, table.label, size, kind.tick_rate, kind.__name__))
        return found[:limit]

    async def signal(self, match_id: str, data: str = "") -> str:
        table = self.tables.get(match_id)
        if table is None or table.over is not None:
            raise NoSuchMatch("no such match")
        return table.signal(data)

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
        self.told.append(Told(user_id, subject, content, code, persistent))

    async def stream_join(
        self, stream: Stream, session_id: str, *, hidden: bool = False, persistence: bool = True
    ) -> None:
        self.streams.setdefault(stream, {})[session_id] = hidden

    async def stream_leave(self, stream: Stream, session_id: str) -> None:
        self.streams.get(stream, {}).pop(session_id, None)

    async def stream_close(self, stream: Stream) -> None:
        self.streams.pop(stream, None)

    async def stream_members(self, stream: Stream, *, hidden: bool = False) -> Sequence[Presence]:
        members = self.streams.get(stream, {})
        return [Presence("", each, "") for each, is_hidden in members.items() if hidden or not is_hidden]

    async def stream_send(
        self, stream: Stream, data: str, *, to: Sequence[str] | None = None, reliable: bool = True
    ) -> None:
        self.sent.append((stream, data))

    async def disconnect(self, session_id: str) -> bool:
        self.disconnected.append(session_id)
        return True

    async def sessions(self, user_id: str) -> Sequence[Presence]:
        return []


class FakeStorage:
    """Implements `Storage` in memory."""

    def __init__(self) -> None:
        self._objects: dict[ObjectId, StoredObject] = {}
        self._versions = 0

    async def get(self, collection: str, key: str, user_id: str = "") -> StoredObject | None:
        return self._objects.get(ObjectId(collection, key, user_id))

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
        write = ObjectWrite(
            collection=collection,
            key=key,
            user_id=user_id,
            text=object_text(value),
            version=version,
            permission_read=permission_read,
            permission_write=permission_write,
        )
        (ack,) = await self.write([write])
        return ack.version

    async def delete(
        self, collection: str, key: str, user_id: str = "", *, version: str = ANY_VERSION
    ) -> None:
        gone = ObjectId(collection, key, user_id)
        self._check(gone, version)
        self._objects.pop(gone, None)

    async def list(
        self, collection: str, user_id: str | None = None, *, limit: int = 100, cursor: str = ""
    ) -> tuple[Sequence[StoredObject], str]:
        found = [
            each
            for object_id, each in sorted(self._objects.items())
            if object_id.collection == collection and user_id in (None, object_id.user_id)
        ]
        first = int(cursor or 0)
        page = found[first : first + limit]
        return page, str(first + limit) if first + limit < len(found) else ""

    async def read(self, ids: Sequence[ObjectId]) -> Sequence[StoredObject]:
        return [self._objects[each] for each in dict.fromkeys(ids) if each in self._objects]

    async def write(self, writes: Sequence[ObjectWrite]) -> Sequence[Ack]:
        for each in writes:
            self._check(each.id, each.version)
        return [self._put(each) for each in writes]

    def _check(self, object_id: ObjectId, version: str) -> None:
        there = self._objects.get(object_id)
        if version == ONLY_NEW:
            refused = there is not None
        else:
            refused = version != ANY_VERSION and (there is None or there.version != version)
        if refused:
            raise VersionConflict("the object is not in this version")

    def _put(self, write: ObjectWrite) -> Ack:
        self._versions += 1
        version = uuid.UUID(int=self._versions).hex
        self._objects[write.id] = StoredObject(
            collection=write.collection,
            key=write.key,
            user_id=write.user_id,
            text=write.text,
            version=version,
            permission_read=write.permission_read,
            permission_write=write.permission_write,
            create_time=self._versions,
            update_time=self._versions,
        )
        return Ack(
            collection=write.collection,
            key=write.key,
            user_id=write.user_id,
            version=version,
            create_time=self._versions,
            update_time=self._versions,
        )
