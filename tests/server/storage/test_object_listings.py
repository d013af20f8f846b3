"""Listings of stored objects on either database: who sees what, page by page."""

from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.runtime.objects import InvalidObject
from server.storage.objects import StoredObjects
from server.storage.store import Store
from tests.support.chat import sign_up
from tests.support.families import NOW
from tests.support.issuer import ALICE, BOB
from tests.support.objects import to_delete, to_write


@pytest.fixture
async def objects(database_url: str) -> AsyncIterator[StoredObjects]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    await sign_up(store)
    yield store.objects
    await store.close()


async def test_listings_hold_what_their_reader_may_read(objects: StoredObjects) -> None:
    for owner in (ALICE, BOB, ""):
        await objects.write(
            [to_write(f"read{n}", user_id=owner, permission_read=n) for n in range(3)], now=NOW
        )
    await objects.write([to_write("elsewhere", collection="other", permission_read=2)], now=NOW)

    async def listed(user_id: str | None, reader: str | None) -> list[tuple[str, str]]:
        page = await objects.list("saves", user_id, 100, reader=reader)
        return [(each.key, each.user_id) for each in page.objects]

    assert await listed(ALICE, ALICE) == [("read1", ALICE), ("read2", ALICE)]
    assert await listed(BOB, ALICE) == [("read2", BOB)]
    assert await listed("", ALICE) == [("read2", "")]
    assert await listed(None, ALICE) == [("read2", owner) for owner in sorted(("", ALICE, BOB))]
    assert await listed("", None) == [(f"read{n}", "") for n in range(3)]
    assert len(await listed(None, None)) == 9


@pytest.mark.parametrize("user_id", [ALICE, None])
@pytest.mark.parametrize("reader", [ALICE, None])
async def test_a_listing_goes_on_page_by_page_in_the_order_of_keys(
    objects: StoredObjects, user_id: str | None, reader: str | None
) -> None:
    names = ["b", "a", "B", "é", "_"]
    await objects.write([to_write(name, permission_read=2) for name in names], now=NOW)
    if user_id is None:
        await objects.write([to_write(name, user_id=BOB, permission_read=2) for name in names], now=NOW)

    found, cursor = await objects.list("saves", user_id, 2, reader=reader)
    seen = [(each.key, each.user_id) for each in found]
    while cursor:
        found, cursor = await objects.list("saves", user_id, 2, cursor, reader=reader)
        assert found
        seen += [(each.key, each.user_id) for each in found]

    owners = [ALICE] if user_id else sorted((ALICE, BOB))
    assert seen == [(name, owner) for name in sorted(names) for owner in owners]


async def test_a_last_page_that_is_full_has_no_cursor(objects: StoredObjects) -> None:
    await objects.write([to_write("a"), to_write("b")], now=NOW)

    assert (await objects.list("saves", ALICE, 2)).cursor == ""
    assert await objects.list("empty", ALICE, 2) == ([], "")


async def test_a_page_goes_on_though_the_object_it_ended_with_is_gone(objects: StoredObjects) -> None:
    await objects.write([to_write(key) for key in "abc"], now=NOW)
    _, cursor = await objects.list("saves", ALICE, 2)
    await objects.delete([to_delete("b")])

    page = await objects.list("saves", ALICE, 2, cursor)

    assert ([each.key for each in page.objects], page.cursor) == (["c"], "")


async def test_a_cursor_leads_into_its_own_listing_alone(objects: StoredObjects) -> None:
    await objects.write([to_write(key, permission_read=2) for key in "abc"], now=NOW)
    _, cursor = await objects.list("saves", ALICE, 1)

    for collection, user_id in (("saves", BOB), ("saves", None), ("saves", ""), ("other", ALICE)):
        with pytest.raises(InvalidObject, match="cursor"):
            await objects.list(collection, user_id, 1, cursor)
