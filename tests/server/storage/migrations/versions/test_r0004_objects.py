"""Accounts of the revision before go on, and can have objects."""

from sqlalchemy import text

from server.ids import RandomIds
from server.storage.store import Store
from tests.support.databases import migrated, opened
from tests.support.families import NOW
from tests.support.issuer import ALICE
from tests.support.objects import object_id, to_write


async def test_an_account_of_the_revision_before_has_no_objects_and_may_write_some(empty_url: str) -> None:
    await migrated(empty_url, to="0003")
    async with opened(empty_url) as engine, engine.begin() as connection:
        await connection.execute(
            text(f"INSERT INTO accounts VALUES ('{ALICE}', 'alice', '', '', 'en', '', '', '{{}}', 1, 2)")
        )
    await migrated(empty_url, to="0004")

    store = Store(RandomIds("test"))
    await store.open(empty_url)
    before = await store.objects.list("saves", ALICE, 10)
    await store.objects.write([to_write("slot", 3)], now=NOW)
    after = await store.objects.read([object_id("slot")])
    await store.close()

    assert before == ([], "")
    assert [each.value for each in after] == [{"level": 3}]
