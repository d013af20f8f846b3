"""Stored objects, as game code has them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from server.game.stored import GameStorage
from server.ids import RandomIds
from server.runtime import (
    ANY_VERSION,
    ONLY_NEW,
    NotPossible,
    ObjectId,
    ObjectsRefused,
    StoredObject,
    VersionConflict,
)
from server.runtime.objects import InvalidObject
from server.storage.failures import Reason, StorageUnavailable
from server.storage.objects import StoredObjects
from server.storage.store import Store
from tests.support.chat import sign_up
from tests.support.databases import sqlite_url
from tests.support.issuer import ALICE

NOW = 1_800_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(sqlite_url(tmp_path))
    await sign_up(store)
    yield store
    await store.close()


@pytest.fixture
def storage(store: Store) -> GameStorage:
    return GameStorage(store.objects, lambda: NOW + 0.5)


async def test_an_object_is_put_got_listed_and_deleted(storage: GameStorage) -> None:
    version = await storage.put("saves", "slot1", {"level": 3}, ALICE)
    await storage.put("saves", "best", {"level": 9})

    found = await storage.get("saves", "slot1", ALICE)
    assert found is not None
    assert (found.value, found.version, found.create_time) == ({"level": 3}, version, NOW)
    objects, cursor = await storage.list("saves", limit=1)
    assert [each.key for each in objects] == ["best"]
    objects, cursor = await storage.list("saves", limit=1, cursor=cursor)
    assert ([each.key for each in objects], cursor) == (["slot1"], "")
    assert len(await storage.read([ObjectId("saves", "slot1", ALICE), ObjectId("saves", "none")])) == 1
    await storage.delete("saves", "slot1", ALICE)
    await storage.delete("saves", "slot1", ALICE)
    assert await storage.get("saves", "slot1", ALICE) is None


async def test_a_change_by_others_in_between_is_noticed(storage: GameStorage) -> None:
    version = await storage.put("saves", "slot1", {"level": 3}, version=ONLY_NEW)
    await storage.put("saves", "slot1", {"level": 4}, version=version)

    for stale in (version, ONLY_NEW):
        with pytest.raises(VersionConflict):
            await storage.put("saves", "slot1", {"level": 5}, version=stale)
    with pytest.raises(VersionConflict):
        await storage.delete("saves", "slot1", version=version)
    await storage.put("saves", "slot1", {"level": 6}, version=ANY_VERSION)


async def test_what_cannot_be_kept_is_refused_and_counted(storage: GameStorage, store: Store) -> None:
    with pytest.raises(InvalidObject):
        await storage.put("saves", "slot1", {"level": {1, 2}})
    with pytest.raises(ObjectsRefused):
        await storage.put("", "slot1", {})

    assert sum(store.objects.refused.values()) == 2


async def test_a_database_that_is_away_is_told_in_words() -> None:
    class Away:
        async def read(self, ids: Sequence[ObjectId]) -> Sequence[StoredObject]:
            raise StorageUnavailable(Reason.CLOSED)

    storage = GameStorage(cast(StoredObjects, Away()), lambda: NOW)

    with pytest.raises(NotPossible, match="not available"):
        await storage.get("saves", "slot1")
