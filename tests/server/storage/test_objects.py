"""Stored objects on either database: versions, permissions, room, and listings."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from server.ids import RandomIds
from server.runtime.objects import (
    Ack,
    InvalidObject,
    NoSuchOwner,
    NotPermitted,
    Refusal,
    StoredObject,
    TooManyObjects,
    VersionConflict,
)
from server.sections import ObjectSettings
from server.storage.objects import StoredObjects
from server.storage.store import Store
from tests.support.chat import message_id, sign_up
from tests.support.databases import sqlite_url
from tests.support.families import NOW
from tests.support.issuer import ALICE, BOB
from tests.support.objects import object_id, to_delete, to_write

LIMITS = ObjectSettings(of_player_max=5, of_server_max=7, batch_max=100)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"), objects=LIMITS)
    await store.open(database_url)
    await sign_up(store)
    yield store
    await store.close()


@pytest.fixture
def objects(store: Store) -> StoredObjects:
    return store.objects


def keys(found: Sequence[StoredObject]) -> list[str]:
    return [each.key for each in found]


async def kept(objects: StoredObjects, user_id: str = ALICE) -> list[str]:
    return keys((await objects.list("saves", user_id, 100)).objects)


async def test_an_object_is_read_as_it_was_written(objects: StoredObjects) -> None:
    text = '{ "name": "Zoë 😀", "n": 12345678901234567890, "z": "\\u0000" }'

    [ack] = await objects.write([to_write("slot", text=text, permission_read=2)], now=NOW)
    [found] = await objects.read([object_id("slot")])

    assert found == StoredObject(
        collection="saves",
        key="slot",
        user_id=ALICE,
        text=text,
        version=ack.version,
        permission_read=2,
        permission_write=1,
        create_time=NOW,
        update_time=NOW,
    )
    assert ack == Ack(
        collection="saves",
        key="slot",
        user_id=ALICE,
        version=found.version,
        create_time=NOW,
        update_time=NOW,
    )


async def test_a_write_takes_the_place_of_the_object(objects: StoredObjects) -> None:
    await objects.write([to_write("slot", 1, permission_read=2), to_write("other", 7)], now=NOW)

    [ack] = await objects.write([to_write("slot", 2, permission_write=0)], now=NOW + 5)
    [found, other] = await objects.read([object_id("slot"), object_id("other")])

    assert (found.value, found.version) == ({"level": 2}, ack.version)
    assert (found.permission_read, found.permission_write) == (1, 0)
    assert (found.create_time, found.update_time) == (NOW, NOW + 5)
    assert (ack.create_time, ack.update_time) == (NOW, NOW + 5)
    assert (other.value, other.update_time) == ({"level": 7}, NOW)


async def test_the_same_name_is_another_object_for_each_owner_and_collection(objects: StoredObjects) -> None:
    writes = [
        to_write("slot", 1),
        to_write("slot", 2, user_id=BOB),
        to_write("slot", 3, user_id=""),
        to_write("slot", 4, collection="Saves"),
    ]

    await objects.write(writes, now=NOW)

    found = await objects.read([each.id for each in writes])
    assert [each.value["level"] for each in found] == [1, 2, 3, 4]


async def test_objects_are_read_once_each_in_the_order_asked_for(objects: StoredObjects) -> None:
    await objects.write([to_write("a"), to_write("b")], now=NOW)

    found = await objects.read([object_id(key) for key in ("b", "missing", "a", "b")])

    assert keys(found) == ["b", "a"]
    assert await objects.read([]) == []


async def test_a_conflict_in_one_of_many_writes_undoes_them_all(objects: StoredObjects) -> None:
    await objects.write([to_write("there", 1)], now=NOW)

    with pytest.raises(VersionConflict):
        await objects.write(
            [to_write("new"), to_write("there", 2), to_write("there", 3, version="*")], now=NOW
        )

    [there] = await objects.read([object_id("there"), object_id("new")])
    assert there.value == {"level": 1}
    assert objects.written == 1
    assert objects.refused[Refusal.VERSION] == 1


async def test_a_write_may_build_on_one_before_it_in_the_same_call(objects: StoredObjects) -> None:
    [first] = await objects.write([to_write("slot", 1)], now=NOW)
    await objects.delete([to_delete("slot")])

    acks = await objects.write(
        [to_write("slot", 1, version="*"), to_write("slot", 2, version=first.version)], now=NOW
    )

    [found] = await objects.read([object_id("slot")])
    assert (found.value, found.version) == ({"level": 2}, acks[1].version)


async def test_of_many_at_once_with_one_version_one_wins_and_harms_no_other(objects: StoredObjects) -> None:
    [before] = await objects.write([to_write("slot", 0)], now=NOW)

    racing = [objects.write([to_write("slot", n, version=before.version)], now=NOW) for n in range(1, 11)]
    others = [objects.write([to_write(f"own{n}", n, user_id=BOB)], now=NOW) for n in range(5)]
    results = await asyncio.gather(*racing, *others, return_exceptions=True)

    won = [each for each in results[:10] if not isinstance(each, BaseException)]
    assert len(won) == 1
    assert [type(each) for each in results[:10] if isinstance(each, BaseException)] == [VersionConflict] * 9
    [found] = await objects.read([object_id("slot")])
    assert [found.version] == [each.version for each in won[0]]
    assert await kept(objects, BOB) == [f"own{n}" for n in range(5)]


async def test_of_many_that_want_to_be_the_first_one_is(objects: StoredObjects) -> None:
    writes = [objects.write([to_write("slot", n, user_id="", version="*")], now=NOW) for n in range(10)]
    results = await asyncio.gather(*writes, return_exceptions=True)

    assert [type(each) for each in results].count(VersionConflict) == 9


async def test_a_counter_that_many_raise_loses_no_step(objects: StoredObjects) -> None:
    await objects.write([to_write("count", 0)], now=NOW)

    async def step() -> None:
        while True:
            [there] = await objects.read([object_id("count")])
            raised = to_write("count", there.value["level"] + 1, version=there.version)
            try:
                await objects.write([raised], now=NOW)
            except VersionConflict:
                continue
            return

    await asyncio.gather(*(step() for _ in range(8)))

    [found] = await objects.read([object_id("count")])
    assert found.value == {"level": 8}


async def test_an_owner_has_room_for_so_many(objects: StoredObjects) -> None:
    await objects.write([to_write(f"k{n}") for n in range(4)], now=NOW)

    with pytest.raises(TooManyObjects):
        await objects.write([to_write("k4"), to_write("k5")], now=NOW)
    await objects.write([to_write("k4"), to_write("k4", 2), to_write("k0", 2)], now=NOW)
    with pytest.raises(TooManyObjects):
        await objects.write([to_write("k5")], now=NOW)
    await objects.write([to_write("k5", user_id=BOB)], now=NOW)
    await objects.delete([to_delete("k0")])
    await objects.write([to_write("k5")], now=NOW)

    assert await kept(objects) == ["k1", "k2", "k3", "k4", "k5"]
    assert objects.refused[Refusal.FULL] == 2


async def test_the_server_has_room_of_its_own(objects: StoredObjects) -> None:
    await objects.write([to_write(f"k{n}", user_id="") for n in range(7)], now=NOW)

    with pytest.raises(TooManyObjects):
        await objects.write([to_write("k7", user_id="")], now=NOW)


async def test_many_at_once_keep_the_limit(objects: StoredObjects) -> None:
    writes = [objects.write([to_write(f"k{n}")], now=NOW) for n in range(20)]
    results = await asyncio.gather(*writes, return_exceptions=True)

    assert len(await kept(objects)) == 5
    assert [type(each) for each in results].count(TooManyObjects) == 15


async def test_who_has_no_account_has_no_objects(objects: StoredObjects) -> None:
    with pytest.raises(NoSuchOwner):
        await objects.write([to_write("a"), to_write("a", user_id=message_id(99))], now=NOW)

    assert await kept(objects) == []
    assert objects.refused[Refusal.OWNER] == 1


async def test_clients_do_not_change_what_is_closed_to_them(objects: StoredObjects) -> None:
    await objects.write([to_write("slot", permission_write=0)], now=NOW)

    with pytest.raises(NotPermitted):
        await objects.write([to_write("new"), to_write("slot", 2)], now=NOW, by_client=True)
    with pytest.raises(NotPermitted):
        await objects.delete([to_delete("slot")], by_client=True)

    assert await kept(objects) == ["slot"]
    assert objects.refused[Refusal.PERMISSION] == 2
    await objects.delete([to_delete("slot")])
    assert await kept(objects) == []


async def test_a_refused_deletion_deletes_nothing(objects: StoredObjects) -> None:
    [a, b] = await objects.write([to_write("a", 1), to_write("b", 2)], now=NOW)

    with pytest.raises(VersionConflict):
        await objects.delete([to_delete("a", version=a.version), to_delete("b", version=a.version)])
    with pytest.raises(VersionConflict):
        await objects.delete([to_delete("a"), to_delete("missing")], by_client=True)

    assert await kept(objects) == ["a", "b"]
    await objects.delete([to_delete("a"), to_delete("missing"), to_delete("b", version=b.version)])
    assert await kept(objects) == []
    assert objects.deleted == 2


async def test_readers_find_what_they_may_read(objects: StoredObjects) -> None:
    for owner in (ALICE, BOB, ""):
        await objects.write(
            [to_write(f"read{n}", user_id=owner, permission_read=n) for n in range(3)], now=NOW
        )
    every = [object_id(f"read{n}", owner) for owner in (ALICE, BOB, "") for n in range(3)]

    found = await objects.read(every, reader=ALICE)

    assert [each.id for each in found] == [every[1], every[2], every[5], every[8]]
    assert len(await objects.read(every)) == 9


async def test_what_cannot_be_is_refused_and_counted(objects: StoredObjects) -> None:
    with pytest.raises(InvalidObject):
        await objects.write([to_write("")], now=NOW)
    with pytest.raises(InvalidObject):
        await objects.read([object_id("a\0b")])
    with pytest.raises(InvalidObject):
        await objects.delete([to_delete("slot", user_id="alice")])
    with pytest.raises(InvalidObject):
        await objects.list("saves", None, 101)

    assert objects.refused[Refusal.INVALID] == 4


async def test_as_many_as_a_call_may_hold_are_done_in_one(database_url: str) -> None:
    store = Store(RandomIds("test"), objects=ObjectSettings(batch_max=300))
    await store.open(database_url)
    await sign_up(store)
    names = [f"k{n:03}" for n in range(300)]

    for level in (1, 2):
        await store.objects.write([to_write(name, level) for name in names], now=NOW)
    found = await store.objects.read([object_id(name) for name in names])
    await store.objects.delete([to_delete(name) for name in names[1:]], by_client=True)
    left = await kept(store.objects)
    await store.close()

    assert [(each.key, each.value["level"]) for each in found] == [(name, 2) for name in names]
    assert left == ["k000"]


async def test_many_are_found_whether_they_share_an_owner_or_a_key(objects: StoredObjects) -> None:
    await objects.write([to_write(f"k{n}") for n in range(3)], now=NOW)
    await objects.write([to_write("k1", user_id=BOB), to_write("k2", user_id="")], now=NOW)

    of_one = [object_id(f"k{n}") for n in range(4)]
    of_many = [object_id("k1", owner) for owner in (BOB, ALICE, "")]
    mixed = [object_id("k2", ""), object_id("k1", BOB), object_id("k0", BOB), object_id("k0")]

    assert [each.id for each in await objects.read(of_one)] == of_one[:3]
    assert [each.id for each in await objects.read(of_many)] == of_many[:2]
    assert [each.id for each in await objects.read(mixed)] == [mixed[0], mixed[1], mixed[3]]


async def test_no_question_looks_through_the_objects_of_others(tmp_path: Path) -> None:
    store = Store(RandomIds("test"))
    await store.open(sqlite_url(tmp_path))
    await sign_up(store)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if "objects" in statement and not statement.startswith("INSERT"):
            asked.append((statement, values[0] if values and isinstance(values[0], tuple) else values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        for _ in range(2):
            await store.objects.write([to_write(key) for key in "abc"], now=NOW)
        await store.objects.read([object_id("a", owner) for owner in (ALICE, BOB)])
        for user_id in (ALICE, None):
            for reader in (ALICE, None):
                await store.objects.list("saves", user_id, 2, reader=reader)
        await store.objects.delete([to_delete("a")])
        await store.delete(ALICE, now=NOW)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        await store.close()

    with closing(sqlite3.connect(tmp_path / "lockgate.db")) as database:
        plans = [
            row[-1]
            for query, values in asked
            for row in database.execute(f"EXPLAIN QUERY PLAN {query}", values)
        ]
    assert len(asked) >= 10
    assert [plan for plan in plans if "SCAN objects" in plan] == []


async def test_with_an_account_go_its_objects(store: Store) -> None:
    await store.objects.write(
        [to_write("slot"), to_write("slot", user_id=BOB), to_write("slot", user_id="")], now=NOW
    )

    await store.delete(ALICE, now=NOW)

    assert (await store.objects.list("saves", None, 9)).objects == await store.objects.read(
        [object_id("slot", ""), object_id("slot", BOB)]
    )


async def test_what_is_written_while_the_account_goes_is_gone_too(store: Store) -> None:
    writes = [store.objects.write([to_write(f"k{n % 4}", n)], now=NOW) for n in range(30)]

    await asyncio.gather(*writes[:15], store.delete(ALICE, now=NOW), *writes[15:], return_exceptions=True)

    assert await kept(store.objects) == []
    with pytest.raises(NoSuchOwner):
        await store.objects.write([to_write("slot")], now=NOW)
