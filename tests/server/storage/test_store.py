"""The store's questions and answers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.ids import RandomIds
from server.storage.store import CHUNK, NewFamily, Store, User, derived_id, is_account_id, suffixed
from tests.support.issuer import ALICE, BOB, ISSUER

NOW = 1_800_000_000


class StubbornIds(RandomIds):
    """Draws the same suffix and name again and again, for a while."""

    def __init__(self, repeats: int) -> None:
        super().__init__("test")
        self._left = repeats

    def suffix(self) -> str:
        self._left -= 1
        return "aaaaaa" if self._left >= 0 else super().suffix()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(StubbornIds(3))
    await store.open(f"sqlite:///{tmp_path / 'folder' / 'lockgate.db'}")
    yield store
    await store.close()


def family(family_id: str, now: int = NOW) -> NewFamily:
    return NewFamily(family_id, {"role": "guest"}, now, now + 7200, now + 90 * 86400)


async def login(store: Store, subject: str, family_id: str, username: str | None = None) -> str:
    made = await store.login(ISSUER, subject, family(family_id), create=True, username=username)
    assert made is not None
    return made.username


async def test_users_are_found_by_id_and_by_name_each_once(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")
    await login(store, BOB, "f2", "bob")

    found = await store.find_users([ALICE, "unknown", ALICE, "x' OR 1=1 --"], ["bob", "alice", "BOB"])

    assert sorted(found, key=lambda user: user.username) == [User(ALICE, "alice"), User(BOB, "bob")]
    assert await store.find_users([], []) == []


async def test_long_lists_are_asked_in_parts(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")
    ids = [f"unknown-{index}" for index in range(CHUNK * 3)]

    assert await store.find_users([*ids, ALICE], [*ids, "alice"]) == [User(ALICE, "alice")]


async def test_a_suffix_that_is_taken_too_is_drawn_again(store: Store) -> None:
    names = [await login(store, f"player-{index}", f"f{index}", "ann") for index in range(4)]

    assert names[:2] == ["ann", "ann-aaaaaa"]
    assert len(set(names)) == 4


async def test_an_account_is_read_as_it_was_made(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")

    account = await store.account(ALICE)

    assert account is not None
    assert (account.subject, account.lang_tag, account.metadata) == (ALICE, "en", "{}")
    assert (account.create_time, account.update_time) == (NOW, NOW)
    assert await store.account(BOB) is None


async def test_a_family_is_read_until_it_is_revoked(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")

    before = await store.family("f1")
    revoked = await store.revoke_families(["f1", "unknown"], now=NOW + 1, reason="logout")
    again = await store.revoke_families(["f1"], now=NOW + 2, reason="logout")

    assert before is not None
    assert (before.account_id, before.username, before.claim_vars) == (ALICE, "alice", {"role": "guest"})
    assert [item.family_id for item in revoked] == [item.family_id for item in again] == ["f1"]
    assert await store.family("f1") is None
    assert not await store.use_family("f1", now=NOW + 3, session_exp=NOW + 9)


async def test_a_family_cannot_be_used_past_its_end(store: Store) -> None:
    await login(store, ALICE, "f1")
    end = NOW + 90 * 86400

    assert await store.use_family("f1", now=end - 1, session_exp=end)
    assert not await store.use_family("f1", now=end, session_exp=end)
    assert not await store.use_family("unknown", now=NOW, session_exp=NOW)


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    first = Store(RandomIds("test"))
    await first.open(url)
    await login(first, ALICE, "f1", "alice")
    await first.revoke_account(ALICE, now=NOW, reason="logout_all")
    second = Store(RandomIds("test"))
    await second.open(url)

    assert [item.family_id for item in await second.revoked_families(NOW)] == ["f1"]
    assert await second.revoked_families(NOW + 7200) == []
    assert await second.find_users([ALICE], []) == [User(ALICE, "alice")]
    await first.close()
    await second.close()


async def test_many_writers_in_two_processes_never_find_the_database_locked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    stores = [Store(RandomIds("test")) for _ in range(2)]
    for store in stores:
        await store.open(url)

    await asyncio.gather(
        *(login(stores[index % 2], f"player-{index}", f"f{index}", "same name") for index in range(200))
    )

    names = await stores[0].find_users([derived_id(ISSUER, f"player-{index}") for index in range(200)], [])
    assert len({user.username for user in names}) == 200
    for store in stores:
        await store.close()


def test_an_account_id_is_one_text() -> None:
    assert is_account_id(ALICE)
    assert not any(
        is_account_id(text)
        for text in ("", ALICE + "\n", ALICE.upper(), f"{{{ALICE}}}", "00000000-0000-0000-0000-000000000000")
    )


def test_a_suffixed_name_is_cut_at_a_character() -> None:
    assert suffixed("ann", "abc123") == "ann-abc123"
    assert suffixed("☃" * 42, "abc123") == "☃" * 40 + "-abc123"
