"""The store's questions and answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from protocol.messages.notification import CHAT_REQUEST
from server.ids import RandomIds
from server.storage.bans import Banned
from server.storage.links import IdentityName, Link
from server.storage.notifications import StoredNotification
from server.storage.profiles import CHUNK
from server.storage.store import Store, User, derived_id, is_account_id, suffixed
from tests.support.chat import LOBBY, message, message_id, notification, sign_up
from tests.support.families import NOW, login, new_family
from tests.support.issuer import ALICE, BOB, ISSUER


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


ROUNDS = 12


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two processes on one database."""
    stores = Store(RandomIds("one")), Store(RandomIds("two"))
    for store in stores:
        await store.open(database_url)
    yield stores
    for store in stores:
        await store.close()


async def at_once(*operations: Awaitable[object]) -> None:
    """Both, in any order; each may find that the other was first."""
    for outcome in await asyncio.gather(*operations, return_exceptions=True):
        assert not isinstance(outcome, Exception) or isinstance(outcome, Banned), outcome


async def test_a_login_during_a_ban_is_refused_or_ended(two: tuple[Store, Store]) -> None:
    for number in range(ROUNDS):
        name = IdentityName(ISSUER, f"player-{number}")
        account = derived_id(*name)
        if number % 2:
            await login(two[0], name.subject, f"old-{number}")
        known = await two[1].account_of(name)
        await at_once(
            two[0].login(new_family(f"new-{number}", name.subject), create=True, username=None),
            two[1].bans.ban(known, [name], reason="", now=NOW),
        )

        made = await two[0].families.find(f"new-{number}")
        assert made is None or (made.account_id, made.revoked) == (account, True)


async def test_a_login_during_an_unlinking_is_refused_or_ended(two: tuple[Store, Store]) -> None:
    await login(two[0], ALICE, "first")
    for number in range(ROUNDS):
        name = IdentityName(ISSUER, f"other-{number}")
        assert await two[0].link(ALICE, name, now=NOW, limit=100) is Link.MADE
        await at_once(
            two[0].login(new_family(f"new-{number}", name.subject), create=False, username=None),
            two[1].unlink(ALICE, name, now=NOW, keep="first"),
        )

        made = await two[0].families.find(f"new-{number}")
        assert made is None or made.revoked


async def test_a_login_during_a_deletion_is_of_a_new_account_or_gone(two: tuple[Store, Store]) -> None:
    for number in range(ROUNDS):
        account = derived_id(ISSUER, f"player-{number}")
        await login(two[0], f"player-{number}", f"old-{number}", "ada")
        await at_once(
            two[0].login(new_family(f"new-{number}", f"player-{number}"), create=True, username="eve"),
            two[1].delete(account, now=NOW),
        )

        made = await two[0].families.find(f"new-{number}")
        assert made is None or made.present_name.startswith("eve")
        assert await two[0].families.find(f"old-{number}") is None


async def test_a_linking_during_a_deletion_leaves_no_identity_of_nobody(two: tuple[Store, Store]) -> None:
    for number in range(ROUNDS):
        account = derived_id(ISSUER, f"player-{number}")
        name = IdentityName(ISSUER, f"other-{number}")
        await login(two[0], f"player-{number}", f"old-{number}")
        await at_once(two[0].link(account, name, now=NOW, limit=9), two[1].delete(account, now=NOW))

        assert await two[0].account_of(name) is None


async def test_names_that_no_database_can_hold_are_nobodys(store: Store) -> None:
    await login(store, ALICE, "f1", "alice")

    found = await store.find_users(["\0", "\ud800", ALICE], ["a\0b", "\udfff", "alice"])

    assert found == [User(ALICE, "alice")]


async def test_with_an_account_go_its_messages_notifications_and_requests(store: Store) -> None:
    await sign_up(store)
    for number, sender in enumerate((ALICE, BOB)):
        await store.messages.add(message(number, sender_id=sender))
    await store.notifications.add(notification(1, ALICE, sender_id=BOB, code=3), keep=9)
    await store.notifications.add(notification(2, BOB, sender_id=ALICE, code=CHAT_REQUEST), keep=9)
    await store.notifications.add(notification(3, BOB, sender_id=ALICE, code=3), keep=9)

    await store.delete(ALICE, now=NOW)

    assert [each.message for each in await store.messages.page(LOBBY, 0, 9, newer=True)] == [
        message(1, sender_id=BOB)
    ]
    assert await store.notifications.page(ALICE, 0, 9) == []
    # A game's gift stays: that it came from somebody who is gone does not make it less Bob's.
    assert [each.notification.id for each in await store.notifications.page(BOB, 0, 9)] == [message_id(3)]
    assert not await store.messages.add(message(4, sender_id=ALICE))
    assert not await store.notifications.add(notification(4, ALICE), keep=9)


async def test_what_is_said_while_the_account_goes_is_gone_too(store: Store) -> None:
    await sign_up(store)

    await asyncio.gather(
        *(store.messages.add(message(number)) for number in range(10)),
        store.delete(ALICE, now=NOW),
        *(store.messages.add(message(number)) for number in range(10, 20)),
        *(store.notifications.add(notification(number), keep=2) for number in range(20, 30)),
        *(store.notifications.add(request(number), keep=9, replace=True) for number in range(30, 40)),
    )

    assert await store.messages.page(LOBBY, 0, 99, newer=True) == []
    assert await store.notifications.page(ALICE, 0, 99) == []
    assert await store.notifications.page(BOB, 0, 99) == []


def request(number: int) -> StoredNotification:
    """Alice wants to chat with Bob."""
    return notification(number, BOB, sender_id=ALICE, code=CHAT_REQUEST)
