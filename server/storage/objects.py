"""Stored objects: small JSON objects with versions, each of one player or of the server.

A call is one transaction: all of it is done, or nothing. Those that change objects of one owner take turns,
so what a version and the number of objects were checked against is still true when the change is made.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NamedTuple

from sqlalchemy import Integer, String, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.runtime.objects import (
    Ack,
    InvalidObject,
    NoSuchOwner,
    ObjectDelete,
    ObjectId,
    ObjectsRefused,
    ObjectWrite,
    Readable,
    Refusal,
    StoredObject,
    TooManyObjects,
)
from server.sections import ObjectSettings
from server.storage import object_checks as checks
from server.storage import object_cursor, object_rules
from server.storage.database import Database
from server.storage.dialects import take_turn
from server.storage.object_cursor import Position
from server.storage.tables import accounts, objects

# Two ways to find many by one index each; SQLite looks for a list of triples in the whole table.
_KEYS = select(objects).where(
    objects.c.collection == bindparam("collection", type_=String),
    objects.c.user_id == bindparam("one", type_=String),
    objects.c.key.in_(bindparam("many", expanding=True)),
)
_OWNERS = select(objects).where(
    objects.c.collection == bindparam("collection", type_=String),
    objects.c.key == bindparam("one", type_=String),
    objects.c.user_id.in_(bindparam("many", expanding=True)),
)
_COUNT = select(func.count()).where(objects.c.user_id == bindparam("owner", type_=String))
# Locked until the transaction ends: with an account go its objects, those under way included.
_ACCOUNT = (
    select(accounts.c.id)
    .where(accounts.c.id == bindparam("owner"))
    .with_for_update(read=True, key_share=True)
)
_WHICH = (
    objects.c.collection == bindparam("in_collection", type_=String),
    objects.c.key == bindparam("with_key", type_=String),
    objects.c.user_id == bindparam("of_user", type_=String),
)
_ADD = insert(objects)
_RENEWED = ("value", "version", "permission_read", "permission_write", "update_time")
_CHANGE = update(objects).where(*_WHICH).values({name: bindparam(f"new_{name}") for name in _RENEWED})
_REMOVE = delete(objects).where(*_WHICH)

_IN_COLLECTION = (
    select(objects)
    .where(objects.c.collection == bindparam("collection", type_=String))
    .limit(bindparam("limit", type_=Integer))
)
_OF_OWNER = _IN_COLLECTION.where(
    objects.c.user_id == bindparam("owner", type_=String),
    objects.c.permission_read >= bindparam("least", type_=Integer),
    objects.c.key > bindparam("after_key", type_=String),
).order_by(objects.c.key)
_OF_ALL = _IN_COLLECTION.where(
    tuple_(objects.c.key, objects.c.user_id)
    > tuple_(bindparam("after_key", type_=String), bindparam("after_user", type_=String))
).order_by(objects.c.key, objects.c.user_id)
_OF_ALL_READABLE = _OF_ALL.where(objects.c.permission_read == int(Readable.EVERYBODY))


class ObjectPage(NamedTuple):
    """Objects in the order of their keys, and where there are more; the cursor of the last page is empty."""

    objects: Sequence[StoredObject]
    cursor: str


class StoredObjects:
    """The objects of a database. Counts what was done and what was refused.

    Every call has the server's authority, to which permissions do not apply, unless it says for which client
    it is made. Raises `ObjectsRefused`, and then nothing was done.
    """

    def __init__(self, database: Database, limits: ObjectSettings) -> None:
        self._database = database
        self._limits = limits
        self.written = 0
        self.deleted = 0
        self.refused: Counter[Refusal] = Counter(dict.fromkeys(Refusal, 0))

    async def read(self, ids: Sequence[ObjectId], *, reader: str | None = None) -> Sequence[StoredObject]:
        """Those of these that are there, each once, in the order of the ids.

        `reader`: the client who asks; what they may not read is not there.
        """
        with self.counted():
            checks.check_ids(ids, self._limits)
        if not ids:
            return []
        async with self._database.read() as connection:
            found = await _find(connection, ids)
        return [each for each in found.values() if object_rules.may_read(each, reader)]

    async def write(
        self, writes: Sequence[ObjectWrite], *, now: int, by_client: bool = False
    ) -> Sequence[Ack]:
        """Write all of these, one after the other, at `now` (Unix seconds). Returns an `Ack` for each.

        `by_client`: it is their owner who writes, so permissions apply.
        """

        async def work(connection: AsyncConnection) -> list[Ack]:
            await _take_turns(connection, writes)
            await _hold_owners(connection, writes)
            before = await _find(connection, [each.id for each in writes])
            after, acks = dict(before), []
            for each in writes:
                made = after[each.id] = object_rules.changed(
                    after.get(each.id), each, now, by_client=by_client
                )
                acks.append(_ack(made))
            await self._check_room(connection, after.keys() - before.keys())
            await _put(connection, before, after)
            return acks

        with self.counted():
            checks.check_writes(writes, self._limits)
            acks = await self._database.write(work) if writes else []
        self.written += len(acks)
        return acks

    async def delete(self, deletes: Sequence[ObjectDelete], *, by_client: bool = False) -> None:
        """Delete all of these. One that is not there is no error, but for a client or with a version."""

        async def work(connection: AsyncConnection) -> int:
            await _take_turns(connection, deletes)
            found = await _find(connection, [each.id for each in deletes])
            gone = []
            for each in deletes:
                there = found.pop(each.id, None)
                object_rules.check_delete(there, each, by_client=by_client)
                if there is not None:
                    gone.append(_which(there.id))
            if gone:
                await connection.execute(_REMOVE, gone)
            return len(gone)

        with self.counted():
            checks.check_ids([each.id for each in deletes], self._limits)
            gone = await self._database.write(work) if deletes else 0
        self.deleted += gone

    async def list(
        self, collection: str, user_id: str | None, limit: int, cursor: str = "", *, reader: str | None = None
    ) -> ObjectPage:
        """The next `limit` objects of a collection behind a cursor: of one owner, or with None of all.

        `reader`: the client who asks; what they may not read is not there.
        """
        with self.counted():
            checks.check_collection(collection)
            checks.check_owners([user_id or ""])
            checks.check_page(limit)
            after = object_cursor.decode(cursor, collection, user_id) if cursor else Position()
            if after is None:
                raise InvalidObject("Malformed cursor was used.")
        query = _OF_ALL if reader is None else _OF_ALL_READABLE
        which = {
            "collection": collection,
            # One more than asked for tells whether there is a page behind it.
            "limit": limit + 1,
            "after_key": after.key,
        }
        if user_id is None:
            which["after_user"] = after.user_id
        else:
            query = _OF_OWNER
            which |= {"owner": user_id, "least": object_rules.least(user_id, reader)}
        async with self._database.read() as connection:
            rows = (await connection.execute(query, which)).mappings().all()
        found = [_object(row) for row in rows[:limit]]
        if len(rows) <= limit:
            return ObjectPage(found, "")
        behind = Position(found[-1].key, found[-1].user_id)
        return ObjectPage(found, object_cursor.encode(behind, collection, user_id))

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a refusal that is raised within, as the calls here do by themselves."""
        try:
            yield
        except ObjectsRefused as error:
            self.refused[error.refusal] += 1
            raise

    async def _check_room(self, connection: AsyncConnection, new: Iterable[ObjectId]) -> None:
        for owner, number in Counter(each.user_id for each in new).items():
            room = self._limits.of_player_max if owner else self._limits.of_server_max
            held = await connection.scalar(_COUNT, {"owner": owner}) or 0
            if held + number > room:
                raise TooManyObjects(f"Storage write rejected - at most {room} objects for one owner.")


async def forget(connection: AsyncConnection, account_id: str) -> None:
    """Delete an account's objects. Part of its deletion."""
    await connection.execute(delete(objects).where(objects.c.user_id == account_id))


async def _take_turns(connection: AsyncConnection, changes: Sequence[ObjectWrite | ObjectDelete]) -> None:
    for owner in sorted({each.user_id for each in changes}):
        await take_turn(connection, f"objects {owner}")


async def _hold_owners(connection: AsyncConnection, writes: Sequence[ObjectWrite]) -> None:
    for owner in sorted({each.user_id for each in writes if each.user_id}):
        if await connection.scalar(_ACCOUNT, {"owner": owner}) is None:
            raise NoSuchOwner("Storage write rejected - there is no such user.")


async def _find(connection: AsyncConnection, ids: Sequence[ObjectId]) -> dict[ObjectId, StoredObject]:
    """In the order of the ids."""
    keys: dict[tuple[str, str], set[str]] = {}
    owners: dict[tuple[str, str], set[str]] = {}
    for each in ids:
        keys.setdefault((each.collection, each.user_id), set()).add(each.key)
        owners.setdefault((each.collection, each.key), set()).add(each.user_id)
    query, groups = (_OWNERS, owners) if len(owners) < len(keys) else (_KEYS, keys)
    found = {}
    for (collection, one), many in groups.items():
        which = {"collection": collection, "one": one, "many": sorted(many)}
        for row in (await connection.execute(query, which)).mappings():
            there = _object(row)
            found[there.id] = there
    return {each: found[each] for each in ids if each in found}


async def _put(
    connection: AsyncConnection,
    before: Mapping[ObjectId, StoredObject],
    after: Mapping[ObjectId, StoredObject],
) -> None:
    if new := [_values(each) for each in after.values() if each.id not in before]:
        await connection.execute(_ADD, new)
    if changed := [_which(each.id) | _renewed(each) for each in after.values() if each.id in before]:
        await connection.execute(_CHANGE, changed)


def _which(object_id: ObjectId) -> dict[str, Any]:
    return {
        "in_collection": object_id.collection,
        "with_key": object_id.key,
        "of_user": object_id.user_id,
    }


def _renewed(stored: StoredObject) -> dict[str, Any]:
    values = _values(stored)
    return {f"new_{name}": values[name] for name in _RENEWED}


def _values(stored: StoredObject) -> dict[str, Any]:
    values = asdict(stored)
    values["value"] = values.pop("text")
    return values


def _object(row: Mapping[Any, Any]) -> StoredObject:
    values = dict(row)
    values["text"] = values.pop("value")
    return StoredObject(**values)


def _ack(stored: StoredObject) -> Ack:
    return Ack(**{name: getattr(stored, name) for name in Ack.__slots__})
