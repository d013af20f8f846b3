"""Bans: by identity, of a whole account, beyond the account's end."""

from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.bans import Banned
from server.storage.links import IdentityName, Link
from server.storage.revocations import Ended
from server.storage.store import Store
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, BOB, ISSUER

FIRST = IdentityName(ISSUER, ALICE)
SECOND = IdentityName(ISSUER, "second")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    await login(store, ALICE, "f1", "alice")
    await store.link(ALICE, SECOND, now=NOW, limit=9)
    yield store
    await store.close()


async def test_a_banned_account_loses_its_logins_and_every_way_in(store: Store) -> None:
    await login(store, BOB, "other", "bob")

    ended = await store.bans.ban(ALICE, [], reason="cheating", now=NOW)

    assert [(item.family_id, item.reason) for item in ended] == [("f1", Ended.BANNED)]
    for subject in (ALICE, "second"):
        with pytest.raises(Banned):
            await login(store, subject, "again")
    await login(store, BOB, "bob again")


async def test_a_ban_survives_the_account(store: Store) -> None:
    await store.bans.ban(ALICE, [], reason="", now=NOW)
    await store.delete(ALICE, now=NOW)

    with pytest.raises(Banned):
        await login(store, ALICE, "f2")


async def test_a_name_can_be_banned_before_it_has_an_account(store: Store) -> None:
    assert await store.bans.ban(None, [IdentityName(ISSUER, BOB)], reason="", now=NOW) == []

    with pytest.raises(Banned):
        await login(store, BOB, "f2")
    with pytest.raises(Banned):
        await store.link(ALICE, IdentityName(ISSUER, BOB), now=NOW, limit=9)
    await login(store, ALICE, "f3")


async def test_a_banned_account_gets_no_further_identity(store: Store) -> None:
    await store.bans.ban(ALICE, [], reason="", now=NOW)

    with pytest.raises(Banned):
        await store.link(ALICE, IdentityName(ISSUER, "third"), now=NOW, limit=9)


async def test_unbanning_lets_in_again_and_revives_no_login(store: Store) -> None:
    await store.bans.ban(ALICE, [], reason="", now=NOW)
    await store.bans.ban(ALICE, [], reason="again", now=NOW)

    assert await store.bans.unban(ALICE, []) == 2
    assert await store.bans.unban(ALICE, [FIRST]) == 0

    family = await store.families.find("f1")
    assert family is not None
    assert family.revoked
    await login(store, ALICE, "f2")
    assert await store.link(ALICE, IdentityName(ISSUER, "third"), now=NOW, limit=9) is Link.MADE
