"""Accounts of the revision before go on, and can speak and be told."""

from sqlalchemy import text

from server.ids import RandomIds
from server.storage.store import Store
from tests.support.chat import LOBBY, message, notification
from tests.support.databases import migrated, opened
from tests.support.issuer import ALICE


async def test_an_account_of_the_revision_before_has_an_empty_history(empty_url: str) -> None:
    await migrated(empty_url, to="0002")
    async with opened(empty_url) as engine, engine.begin() as connection:
        await connection.execute(
            text(f"INSERT INTO accounts VALUES ('{ALICE}', 'alice', '', '', 'en', '', '', '{{}}', 1, 2)")
        )
    await migrated(empty_url, to="0003")

    store = Store(RandomIds("test"))
    await store.open(empty_url)
    before = await store.messages.page(LOBBY, 0, 10, newer=True), await store.notifications.page(ALICE, 0, 10)
    said, told = await store.messages.add(message(1)), await store.notifications.add(notification(1), keep=9)
    after = await store.messages.page(LOBBY, 0, 10, newer=True)
    await store.close()

    assert before == ([], [])
    assert (said, told) == (True, True)
    assert [each.message for each in after] == [message(1)]
