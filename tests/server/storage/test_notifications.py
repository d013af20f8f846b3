"""Stored notifications: each player's own, in order, and only so many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.store import Store
from tests.support.chat import message_id, notification, sign_up
from tests.support.issuer import ALICE, BOB


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    await sign_up(store)
    yield store
    await store.close()


async def kept(store: Store, user_id: str = ALICE) -> list[str]:
    return [each.notification.id for each in await store.notifications.page(user_id, 0, 100)]


async def test_notifications_are_found_in_the_order_of_their_coming_page_by_page(store: Store) -> None:
    for number in (3, 1, 2):
        await store.notifications.add(notification(number), keep=10)
    await store.notifications.add(notification(4, BOB), keep=10)

    first = await store.notifications.page(ALICE, 0, 2)
    rest = await store.notifications.page(ALICE, first[-1].number, 2)

    assert [each.notification for each in first] == [notification(3), notification(1)]
    assert [each.notification for each in rest] == [notification(2)]
    assert await store.notifications.page(ALICE, rest[-1].number, 2) == []


async def test_one_too_many_pushes_the_oldest_of_that_player_out(store: Store) -> None:
    await store.notifications.add(notification(9, BOB), keep=3)
    for number in range(4):
        assert await store.notifications.add(notification(number), keep=3)

    assert await kept(store) == [message_id(number) for number in (1, 2, 3)]
    assert await kept(store, BOB) == [message_id(9)]
    assert store.notifications.pushed_out == 1


async def test_a_smaller_limit_is_reached_at_the_next_notification(store: Store) -> None:
    for number in range(5):
        await store.notifications.add(notification(number), keep=10)

    await store.notifications.add(notification(5), keep=2)

    assert await kept(store) == [message_id(4), message_id(5)]
    assert store.notifications.pushed_out == 4


async def test_many_at_once_keep_the_limit(store: Store) -> None:
    await asyncio.gather(*(store.notifications.add(notification(n), keep=5) for n in range(20)))

    assert len(await kept(store)) == 5
    assert store.notifications.pushed_out == 15


async def test_a_request_takes_the_place_of_the_same_senders_last_one(store: Store) -> None:
    await store.notifications.add(notification(1, sender_id=BOB, code=-1), keep=10, replace=True)
    await store.notifications.add(notification(2, sender_id=BOB, code=7), keep=10)
    await store.notifications.add(notification(3, BOB, sender_id=BOB, code=-1), keep=10)
    await store.notifications.add(notification(4, sender_id=ALICE, code=-1), keep=10, replace=True)

    await store.notifications.add(notification(5, sender_id=BOB, code=-1), keep=10, replace=True)

    assert await kept(store) == [message_id(number) for number in (2, 4, 5)]
    assert await kept(store, BOB) == [message_id(3)]
    assert store.notifications.pushed_out == 0


async def test_nobody_is_asked_by_who_has_no_account(store: Store) -> None:
    gone = notification(1, sender_id=message_id(99), code=-1)

    assert not await store.notifications.add(gone, keep=10, replace=True)
    assert await store.notifications.add(gone, keep=10)

    assert await kept(store) == [message_id(1)]


async def test_who_has_no_account_has_no_notifications(store: Store) -> None:
    assert not await store.notifications.add(notification(1, message_id(99)), keep=10)


async def test_players_delete_their_own_alone(store: Store) -> None:
    for number in range(3):
        await store.notifications.add(notification(number), keep=10)
    await store.notifications.add(notification(8, BOB), keep=10)

    gone = await store.notifications.delete(
        ALICE, [message_id(0), message_id(8), message_id(2), message_id(0), "x\0", "\ud800", "' OR 1=1 --"]
    )

    assert gone == 2
    assert await kept(store) == [message_id(1)]
    assert await kept(store, BOB) == [message_id(8)]
    assert await store.notifications.delete(ALICE, []) == 0


async def test_more_ids_than_a_statement_takes_are_deleted_all_the_same(store: Store) -> None:
    await store.notifications.add(notification(5000), keep=10)

    assert await store.notifications.delete(ALICE, [message_id(number) for number in range(5001)]) == 1
