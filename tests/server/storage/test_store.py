"""The store's questions and answers."""

from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.store import CHUNK, Store, User, is_account_id, suffixed
from tests.support.families import NOW, login
from tests.support.issuer import ALICE, BOB


class StubbornIds(RandomIds):
    """Draws the same suffix and name again and again, for a while."""

    def __init__(self, repeats: int) -> None:
        super().__init__("test")
        self._left = repeats

    def suffix(self) -> str:
        self._left -= 1
        return "aaaaaa" if self._left >= 0 else super().suffix()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(StubbornIds(3))
    await store.open(database_url)
    yield store
    await store.close()


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


def test_an_account_id_is_one_text() -> None:
    assert is_account_id(ALICE)
    assert not any(
        is_account_id(text)
        for text in ("", ALICE + "\n", ALICE.upper(), f"{{{ALICE}}}", "00000000-0000-0000-0000-000000000000")
    )


def test_a_suffixed_name_is_cut_at_a_character() -> None:
    assert suffixed("ann", "abc123") == "ann-abc123"
    assert suffixed("☃" * 42, "abc123") == "☃" * 40 + "-abc123"
