"""Writes that share a transaction: none is lost, none takes another down."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import Work, open_sqlite
from server.storage.failures import Reason, StorageUnavailable
from server.storage.writer import CAREFUL, Writer
from server.tasks import TaskOwner

metadata = MetaData()
numbers = Table("numbers", metadata, Column("value", Integer, primary_key=True))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_sqlite(tmp_path / "test.db", begin="BEGIN IMMEDIATE", pool_size=1)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield engine
    await engine.dispose()


def add(value: int) -> Work[int]:
    async def work(connection: AsyncConnection) -> int:
        await connection.execute(insert(numbers).values(value=value))
        return value

    return work


async def count(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        return await connection.scalar(select(func.count()).select_from(numbers)) or 0


async def test_writes_that_wait_share_a_commit(engine: AsyncEngine) -> None:
    commits = 0

    def counted(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(engine.sync_engine, "commit", counted)
    writer = Writer(engine, TaskOwner("test"))

    results = await asyncio.gather(*(writer.run(add(value)) for value in range(300)))

    assert results == list(range(300))
    assert commits <= 4
    assert await count(engine) == 300


async def test_a_write_that_fails_takes_no_other_with_it(engine: AsyncEngine) -> None:
    writer = Writer(engine, TaskOwner("test"))

    results = await asyncio.gather(
        *(writer.run(add(value)) for value in (1, 2, 2, 3)), return_exceptions=True
    )

    assert [result for result in results if not isinstance(result, BaseException)] == [1, 2, 3]
    assert isinstance(results[2], IntegrityError)
    assert await count(engine) == 3


async def test_a_write_that_fails_half_way_leaves_nothing_of_itself(engine: AsyncEngine) -> None:
    writer = Writer(engine, TaskOwner("test"))

    async def half(connection: AsyncConnection) -> int:
        await add(1)(connection)
        raise ValueError("half way")

    results = await asyncio.gather(writer.run(half), writer.run(add(2)), return_exceptions=True)

    assert isinstance(results[0], ValueError)
    assert results[1] == 2
    assert await count(engine) == 1


async def test_savepoints_are_made_only_where_something_failed(engine: AsyncEngine) -> None:
    writer = Writer(engine, TaskOwner("test"))
    savepoints = 0

    def counted(_connection: object, _name: object) -> None:
        nonlocal savepoints
        savepoints += 1

    event.listen(engine.sync_engine, "savepoint", counted)

    async def batch(*values: int) -> int:
        before = savepoints
        await asyncio.gather(*(writer.run(add(value)) for value in values), return_exceptions=True)
        return savepoints - before

    assert await batch(1, 2, 3) == 0
    assert await batch(3, 4, 5) == 3
    assert [await batch(10 * turn, 10 * turn + 1) for turn in range(1, CAREFUL + 1)] == [2] * CAREFUL
    assert await batch(1000, 1001) == 0
    assert await count(engine) == 5 + 2 * CAREFUL + 2


async def test_a_commit_that_fails_is_told_to_every_writer(engine: AsyncEngine) -> None:
    writer = Writer(engine, TaskOwner("test"))

    def broken(_connection: object) -> None:
        raise OSError("disk full")

    event.listen(engine.sync_engine, "commit", broken)
    results = await asyncio.gather(*(writer.run(add(value)) for value in range(3)), return_exceptions=True)
    event.remove(engine.sync_engine, "commit", broken)

    assert [type(result) for result in results] == [OSError] * 3
    assert await count(engine) == 0
    assert await writer.run(add(1)) == 1


async def test_a_caller_who_goes_away_neither_undoes_nor_repeats_what_others_wrote(
    engine: AsyncEngine,
) -> None:
    owner = TaskOwner("test")
    writer = Writer(engine, owner)
    begun, go_on = asyncio.Event(), asyncio.Event()
    runs = [0, 0]

    def counted(index: int) -> Work[int]:
        async def work(connection: AsyncConnection) -> int:
            runs[index] += 1
            begun.set()
            await go_on.wait()
            return await add(index)(connection)

        return work

    first, second = (owner.spawn("caller", writer.run(counted(index))) for index in range(2))
    await begun.wait()
    first.cancel()
    go_on.set()

    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first
    assert runs == [1, 1]
    assert await count(engine) == 2
    assert writer.commits == 1


async def test_a_caller_who_goes_away_before_its_turn_writes_nothing(engine: AsyncEngine) -> None:
    owner = TaskOwner("test")
    writer = Writer(engine, owner)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: AsyncConnection) -> int:
        begun.set()
        await go_on.wait()
        return await add(1)(connection)

    first = owner.spawn("first", writer.run(slow))
    await begun.wait()
    second = owner.spawn("second", writer.run(add(2)))
    await asyncio.sleep(0)  # it queues
    second.cancel()
    go_on.set()

    assert await first == 1
    await writer.close()
    assert await count(engine) == 1


async def test_closing_waits_for_what_was_taken_and_takes_no_more(engine: AsyncEngine) -> None:
    owner = TaskOwner("test")
    writer = Writer(engine, owner)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(connection: AsyncConnection) -> int:
        begun.set()
        await go_on.wait()
        return await add(1)(connection)

    first = owner.spawn("first", writer.run(slow))
    await begun.wait()
    second = owner.spawn("second", writer.run(add(2)))
    await asyncio.sleep(0)  # it queues
    closing = owner.spawn("closing", writer.close())
    await asyncio.sleep(0)  # it has begun to close
    with pytest.raises(StorageUnavailable) as refused:
        await writer.run(add(3))
    go_on.set()
    await closing

    assert refused.value.reason is Reason.CLOSED
    assert (await first, await second) == (1, 2)
    assert await count(engine) == 2


async def test_nobody_waits_for_ever_when_the_process_gives_up(engine: AsyncEngine) -> None:
    batches, callers = TaskOwner("batches"), TaskOwner("callers")
    writer = Writer(engine, batches)
    begun = asyncio.Event()

    async def endless(_connection: AsyncConnection) -> int:
        begun.set()
        await asyncio.Event().wait()
        return 1

    first = callers.spawn("first", writer.run(endless))
    await begun.wait()
    second = callers.spawn("second", writer.run(add(2)))
    await asyncio.sleep(0)  # it queues
    await batches.cancel_all()

    done = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in done] == [StorageUnavailable, asyncio.CancelledError]
    assert await count(engine) == 0


async def test_a_full_disk_is_told_to_all_of_the_batch(engine: AsyncEngine) -> None:
    writer = Writer(engine, TaskOwner("test"))
    async with engine.connect() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    async def large(connection: AsyncConnection) -> int:
        await connection.exec_driver_sql("CREATE TABLE large AS SELECT zeroblob(100000) AS data")
        return 0

    results = await asyncio.gather(
        *(writer.run(work) for work in (add(1), large, add(2))), return_exceptions=True
    )

    assert [type(result) for result in results] == [OperationalError] * 3
    assert await count(engine) == 0
    assert await writer.run(add(1)) == 1
