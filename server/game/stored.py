"""`server.storage` in game code: stored objects, read and written with the server's authority."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from server.runtime.api import NotPossible
from server.runtime.objects import (
    ANY_VERSION,
    Ack,
    ObjectDelete,
    ObjectId,
    ObjectWrite,
    Readable,
    StoredObject,
    Writable,
    object_text,
)
from server.storage.failures import StorageUnavailable
from server.storage.objects import StoredObjects

T = TypeVar("T")


class GameStorage:
    """The public API `Storage` on the database. `wall` tells the time in Unix seconds."""

    def __init__(self, objects: StoredObjects, wall: Callable[[], float]) -> None:
        self._objects = objects
        self._wall = wall

    async def get(self, collection: str, key: str, user_id: str = "") -> StoredObject | None:
        found = await self.read([ObjectId(collection, key, user_id)])
        return found[0] if found else None

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
        with self._objects.counted():
            text = object_text(value)
        write = ObjectWrite(
            collection=collection,
            key=key,
            user_id=user_id,
            text=text,
            version=version,
            permission_read=permission_read,
            permission_write=permission_write,
        )
        (ack,) = await self.write([write])
        return ack.version

    async def delete(
        self, collection: str, key: str, user_id: str = "", *, version: str = ANY_VERSION
    ) -> None:
        gone = ObjectDelete(collection=collection, key=key, user_id=user_id, version=version)
        await _there(self._objects.delete([gone]))

    async def list(
        self, collection: str, user_id: str | None = None, *, limit: int = 100, cursor: str = ""
    ) -> tuple[Sequence[StoredObject], str]:
        page = await _there(self._objects.list(collection, user_id, limit, cursor))
        return page.objects, page.cursor

    async def read(self, ids: Sequence[ObjectId]) -> Sequence[StoredObject]:
        return await _there(self._objects.read(ids))

    async def write(self, writes: Sequence[ObjectWrite]) -> Sequence[Ack]:
        return await _there(self._objects.write(writes, now=int(self._wall())))


async def _there(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except StorageUnavailable:
        raise NotPossible("storage is not available") from None
