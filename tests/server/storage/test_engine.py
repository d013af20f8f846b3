"""Writes that share a transaction: none is lost, none takes another down."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import Work, Writer, open_engine, sqlite_path

metadata = MetaData()
numbers = Table("numbers", metadata, Column("value", Integer, primary_key=True))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(tmp_path / "test.db", begin="BEGIN IMMEDIATE", pool_size=1)
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
    writer = Writer(engine)

    results = await asyncio.gather(*(writer.run(add(value)) for value in range(300)))

    assert results == list(range(300))
    assert commits <= 4
    assert await count(engine) == 300


async def test_a_write_that_fails_takes_no_other_with_it(engine: AsyncEngine) -> None:
    writer = Writer(engine)

    results = await asyncio.gather(
        *(writer.run(add(value)) for value in (1, 2, 2, 3)), return_exceptions=True
    )

    assert [result for result in results if not isinstance(result, BaseException)] == [1, 2, 3]
    assert isinstance(results[2], IntegrityError)
    assert await count(engine) == 3


async def test_a_write_that_fails_half_way_leaves_nothing_of_itself(engine: AsyncEngine) -> None:
    writer = Writer(engine)

    async def half(connection: AsyncConnection) -> int:
        await add(1)(connection)
        raise ValueError("half way")

    results = await asyncio.gather(writer.run(half), writer.run(add(2)), return_exceptions=True)

    assert isinstance(results[0], ValueError)
    assert results[1] == 2
    assert await count(engine) == 1


async def test_a_commit_that_fails_is_told_to_every_writer(engine: AsyncEngine) -> None:
    writer = Writer(engine)

    def broken(_connection: object) -> None:
        raise OSError("disk full")

    event.listen(engine.sync_engine, "commit", broken)
    results = await asyncio.gather(*(writer.run(add(value)) for value in range(3)), return_exceptions=True)
    event.remove(engine.sync_engine, "commit", broken)

    assert [type(result) for result in results] == [OSError] * 3
    assert await count(engine) == 0
    assert await writer.run(add(1)) == 1


async def test_a_cancelled_writer_leaves_the_others_their_writes(engine: AsyncEngine) -> None:
    writer = Writer(engine)
    begun = asyncio.Event()

    async def slow(connection: AsyncConnection) -> int:
        begun.set()
        return await add(1)(connection)

    first = asyncio.ensure_future(writer.run(slow))  # noqa: TID251 (a test's own task)
    others = [asyncio.ensure_future(writer.run(add(value))) for value in (2, 3)]  # noqa: TID251 (a test's own)
    await begun.wait()
    first.cancel()

    assert await asyncio.gather(*others) == [2, 3]
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await count(engine) == 2


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory", "postgresql://x/y", ""],
)
def test_only_a_file_is_durable(url: str) -> None:
    with pytest.raises(ValueError):
        sqlite_path(url)


async def test_a_commit_waits_for_the_disk(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        pragmas = [
            (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar(),
            (await connection.exec_driver_sql("PRAGMA synchronous")).scalar(),
            (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar(),
        ]

    assert pragmas == ["wal", 2, 1]
