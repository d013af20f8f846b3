"""Identities of an account, as rows."""

from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.links import IdentityName, Link
from server.storage.revocations import Ended
from server.storage.store import Store
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, BOB, ISSUER

SECOND = IdentityName(ISSUER, "second")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    for subject in (ALICE, BOB):
        await login(store, subject, subject)
    yield store
    await store.close()


async def test_each_outcome_of_linking_is_told(store: Store) -> None:
    assert await store.link(ALICE, SECOND, now=NOW, limit=2) is Link.MADE
    assert await store.link(ALICE, SECOND, now=NOW, limit=2) is Link.OWN
    assert await store.link(BOB, SECOND, now=NOW, limit=2) is Link.TAKEN
    assert await store.link(ALICE, IdentityName(ISSUER, "third"), now=NOW, limit=2) is Link.FULL
    assert await store.link("nobody", IdentityName(ISSUER, "third"), now=NOW, limit=2) is Link.NO_ACCOUNT
    assert await store.link(BOB, IdentityName(ISSUER, ALICE), now=NOW, limit=1) is Link.TAKEN


async def test_only_one_of_several_own_identities_can_be_taken_away(store: Store) -> None:
    await store.link(ALICE, SECOND, now=NOW, limit=2)

    async def unlink(account_id: str, name: IdentityName) -> bool:
        return await store.unlink(account_id, name, now=NOW, keep="") is not None

    assert not await unlink(BOB, SECOND)
    assert not await unlink(ALICE, IdentityName(ISSUER, BOB))
    assert not await unlink(ALICE, IdentityName("https://other.example", "second"))
    assert await unlink(ALICE, SECOND)
    assert not await unlink(ALICE, SECOND)
    assert not await unlink(ALICE, IdentityName(ISSUER, ALICE))


async def test_the_logins_that_an_identity_made_end_with_it_but_for_the_callers(store: Store) -> None:
    await store.link(ALICE, SECOND, now=NOW, limit=2)
    await login(store, "second", "by second")
    await login(store, "second", "the caller's")

    ended = await store.unlink(ALICE, SECOND, now=NOW, keep="the caller's")

    assert ended is not None
    assert [(item.family_id, item.reason) for item in ended] == [("by second", Ended.UNLINKED)]
    assert (await store.revocations.after(0, now=NOW))[0] == ended


async def test_links_outlive_the_process(store: Store, database_url: str) -> None:
    await store.link(ALICE, SECOND, now=NOW, limit=2)

    again = Store(RandomIds("test"))
    await again.open(database_url)

    assert await again.link(BOB, SECOND, now=NOW, limit=2) is Link.TAKEN
    await again.close()
