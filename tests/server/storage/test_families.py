"""Logins as rows: read, used, revoked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.ids import RandomIds
from server.storage.families import NewFamily
from server.storage.store import Store
from tests.support.issuer import ALICE, ISSUER

NOW = 1_800_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(f"sqlite:///{tmp_path / 'lockgate.db'}")
    yield store
    await store.close()


async def login(store: Store, subject: str, family_id: str, username: str | None = None) -> None:
    family = NewFamily(family_id, {"role": "guest"}, NOW, NOW + 7200, NOW + 90 * 86400)
    await store.login(ISSUER, subject, family, create=True, username=username)


async def test_a_family_is_read_until_it_is_revoked(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")

    before = await store.families.find("f1")
    revoked = await store.families.revoke(["f1", "unknown"], now=NOW + 1, reason="logout")
    again = await store.families.revoke(["f1"], now=NOW + 2, reason="logout")

    assert before is not None
    assert (before.account_id, before.username, before.claim_vars) == (ALICE, "alice", {"role": "guest"})
    assert [item.family_id for item in revoked] == [item.family_id for item in again] == ["f1"]
    assert await store.families.find("f1") is None
    assert not await store.families.use("f1", now=NOW + 3, session_exp=NOW + 9)


async def test_a_family_cannot_be_used_past_its_end(store: Store) -> None:
    await login(store, ALICE, "f1")
    end = NOW + 90 * 86400

    assert await store.families.use("f1", now=end - 1, session_exp=end)
    assert not await store.families.use("f1", now=end, session_exp=end)
    assert not await store.families.use("unknown", now=NOW, session_exp=NOW)
