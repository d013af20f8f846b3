"""The log of ended logins: read on from a number, and forgotten when nothing needs it."""

from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.revocations import SPARE_S, Ended
from server.storage.store import Store
from tests.support.families import NOW, SESSION_S, login
from tests.support.issuer import ALICE


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    for number in range(5):
        await login(store, ALICE, f"f{number}", now=NOW + number)
        await store.families.revoke([f"f{number}"], now=NOW + number, reason=Ended.LOGOUT)
    yield store
    await store.close()


async def test_the_log_is_read_in_pages_each_entry_once(store: Store) -> None:
    seen, last = [], 0
    while True:
        found, following = await store.revocations.after(last, now=NOW, limit=2)
        seen += [item.family_id for item in found]
        if following == last:
            break
        last = following

    assert seen == [f"f{number}" for number in range(5)]


async def test_entries_that_no_token_needs_are_passed_over_and_purged(store: Store) -> None:
    over = NOW + 2 + SESSION_S + SPARE_S

    found, _ = await store.revocations.after(0, now=over)
    removed = [await store.revocations.purge(over, limit=2) for _ in range(3)]

    assert [item.family_id for item in found] == ["f3", "f4"]
    assert removed == [2, 1, 0]


async def test_a_number_does_not_come_back_when_its_row_is_gone(store: Store) -> None:
    _, last = await store.revocations.after(0, now=NOW)
    await store.revocations.purge(NOW + 10 * SPARE_S)
    await login(store, ALICE, "new", now=NOW + 10)
    await store.families.revoke(["new"], now=NOW + 10, reason=Ended.REUSE)

    found, following = await store.revocations.after(last, now=NOW + 10)

    assert [(item.family_id, item.reason) for item in found] == [("new", Ended.REUSE)]
    assert following > last
