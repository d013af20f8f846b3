"""The history of a channel: order, pages, and that only senders change what they said."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.ids import RandomIds
from server.storage.links import lock
from server.storage.messages import END, Messages
from server.storage.store import Store
from server.tasks import TaskOwner
from tests.support.chat import LOBBY, NOW_US, message, message_id, sign_up
from tests.support.issuer import ALICE, BOB

STRANGER = message_id(999)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    await sign_up(store)
    yield store
    await store.close()


async def ids(
    messages: Messages, position: int, limit: int, *, newer: bool, channel: str = LOBBY
) -> list[str]:
    return [each.message.id for each in await messages.page(channel, position, limit, newer=newer)]


async def test_messages_of_one_second_keep_their_order_from_either_end(store: Store) -> None:
    for number in (5, 2, 9, 1):
        await store.messages.add(message(number))
    await store.messages.add(message(7, channel_id="2...elsewhere"))

    assert await ids(store.messages, 0, 10, newer=True) == [message_id(n) for n in (5, 2, 9, 1)]
    assert await ids(store.messages, END, 3, newer=False) == [message_id(n) for n in (1, 9, 2)]


async def test_a_page_goes_on_where_the_last_one_ended(store: Store) -> None:
    for number in range(1, 6):
        await store.messages.add(message(number))
    first = await store.messages.page(LOBBY, 0, 2, newer=True)

    assert await ids(store.messages, first[-1].number, 2, newer=True) == [message_id(3), message_id(4)]
    assert await ids(store.messages, first[-1].number, 2, newer=False) == [message_id(1)]


async def test_a_message_is_read_as_it_was_written(store: Store) -> None:
    said = message(1, ' { "text" : "läuft 😀 \\u0000" } ')

    assert await store.messages.add(said)

    (found,) = await store.messages.page(LOBBY, 0, 1, newer=True)
    assert found.message == said


async def test_an_account_that_is_gone_says_nothing(store: Store) -> None:
    assert not await store.messages.add(message(1, sender_id=STRANGER))

    assert await ids(store.messages, 0, 10, newer=True) == []


async def test_a_sender_changes_a_message_where_it_stands(store: Store) -> None:
    for number in (1, 2):
        await store.messages.add(message(number))

    changed = await store.messages.change(
        message_id(1), LOBBY, ALICE, content='{"new":1}', username="anna", now=NOW_US + 5
    )

    assert changed == NOW_US
    first, second = await store.messages.page(LOBBY, 0, 10, newer=True)
    assert first.message == replace(message(1), content='{"new":1}', username="anna", update_time=NOW_US + 5)
    assert second.message == message(2)


@pytest.mark.parametrize(
    ("number", "channel_id", "sender_id"),
    [(2, LOBBY, ALICE), (1, "2...elsewhere", ALICE), (1, LOBBY, BOB)],
    ids=["unknown", "another channel's", "another's"],
)
async def test_nothing_else_changes_or_goes(
    store: Store, number: int, channel_id: str, sender_id: str
) -> None:
    await store.messages.add(message(1))

    change = store.messages.change(
        message_id(number), channel_id, sender_id, content='{"x":1}', username="x", now=NOW_US
    )
    assert await change is None
    assert await store.messages.remove(message_id(number), channel_id, sender_id) is None

    (left,) = await store.messages.page(LOBBY, 0, 10, newer=True)
    assert left.message == message(1)


async def test_a_removed_message_is_gone_and_its_place_is_not_given_again(store: Store) -> None:
    for number in (1, 2):
        await store.messages.add(message(number))
    last = (await store.messages.page(LOBBY, 0, 10, newer=True))[-1].number

    assert await store.messages.remove(message_id(2), LOBBY, ALICE) == NOW_US
    assert await store.messages.remove(message_id(2), LOBBY, ALICE) is None
    await store.messages.add(message(3))

    assert await ids(store.messages, 0, 10, newer=True) == [message_id(1), message_id(3)]
    assert await ids(store.messages, last, 10, newer=True) == [message_id(3)]


async def test_a_reader_who_follows_writers_misses_nothing(store: Store) -> None:
    """Numbers are given in the order of commits: on PostgreSQL that does not go by itself."""
    written = asyncio.gather(*(store.messages.add(message(number)) for number in range(40)))
    seen: list[str] = []
    position = 0
    while not written.done() or len(seen) < 40:
        for each in await store.messages.page(LOBBY, position, 3, newer=True):
            seen.append(each.message.id)
            position = each.number
        if written.done() and not await store.messages.page(LOBBY, position, 1, newer=True):
            break

    assert all(await written)
    assert sorted(seen) == sorted(message_id(number) for number in range(40))


async def test_what_no_database_can_hold_has_no_history(store: Store) -> None:
    assert await store.messages.page("2...\0", 0, 1, newer=True) == []
    assert await store.messages.page("2...\ud800", 0, 1, newer=True) == []


async def test_a_deep_page_is_found_by_an_index(store: Store) -> None:
    query = (
        "SELECT * FROM channel_messages WHERE channel_id = 'x' AND number < 9 ORDER BY number DESC LIMIT 5"
    )
    async with store.database.read() as connection:
        if connection.dialect.name == "sqlite":
            plan = [row[3] for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {query}"))]
        else:
            await connection.execute(text("SET enable_seqscan = off"))
            plan = list(await connection.scalars(text(f"EXPLAIN {query}")))

    told = "\n".join(plan)
    assert "channel_messages_history" in told
    assert "sort" not in told.lower()
    assert "TEMP" not in told


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_message_does_not_overtake_one_whose_number_is_lower(store: Store) -> None:
    """A reader who has read the second one would never see the first."""
    tasks, release, held = TaskOwner("test"), asyncio.Event(), asyncio.Event()

    async def hold_alice(connection: AsyncConnection) -> None:
        await lock(connection, ALICE)
        held.set()
        await release.wait()

    holding = tasks.spawn("hold", store.database.write(hold_alice))
    await held.wait()
    first = tasks.spawn("first", store.messages.add(message(1, sender_id=ALICE)))
    await waiting(store, 1)  # it has its number, and waits for its sender's row
    second = tasks.spawn("second", store.messages.add(message(2, sender_id=BOB)))
    await waiting(store, 2, second)
    seen = await ids(store.messages, 0, 9, newer=True)
    release.set()
    await asyncio.gather(holding, first, second)

    assert seen == []
    assert await ids(store.messages, 0, 9, newer=True) == [message_id(1), message_id(2)]


async def waiting(store: Store, number: int, unless: "asyncio.Task[bool] | None" = None) -> None:
    """Return when so many statements wait for a lock, or that task is done."""
    query = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with store.database.read() as connection:
        while await connection.scalar(query) != number and not (unless and unless.done()):
            pass
