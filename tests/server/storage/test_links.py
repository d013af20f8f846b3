"""Identities of an account, as rows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.ids import RandomIds
from server.storage.families import NewFamily
from server.storage.links import IdentityName, Link
from server.storage.store import Store
from tests.support.issuer import ALICE, BOB, ISSUER

NOW = 1_800_000_000
SECOND = IdentityName(ISSUER, "second")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(f"sqlite:///{tmp_path / 'lockgate.db'}")
    for subject in (ALICE, BOB):
        family = NewFamily(f"family of {subject}", {}, NOW, NOW + 7200, NOW + 86400)
        await store.login(ISSUER, subject, family, create=True, username=None)
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

    assert not await store.unlink(BOB, SECOND, now=NOW)
    assert not await store.unlink(ALICE, IdentityName(ISSUER, BOB), now=NOW)
    assert not await store.unlink(ALICE, IdentityName("https://other.example", "second"), now=NOW)
    assert await store.unlink(ALICE, SECOND, now=NOW)
    assert not await store.unlink(ALICE, SECOND, now=NOW)
    assert not await store.unlink(ALICE, IdentityName(ISSUER, ALICE), now=NOW)


async def test_links_outlive_the_process(store: Store, tmp_path: Path) -> None:
    await store.link(ALICE, SECOND, now=NOW, limit=2)

    again = Store(RandomIds("test"))
    await again.open(f"sqlite:///{tmp_path / 'lockgate.db'}")

    assert await again.link(BOB, SECOND, now=NOW, limit=2) is Link.TAKEN
    await again.close()
