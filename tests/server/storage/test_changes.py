"""A file's version moves with every commit, and with nothing else."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from server.storage.changes import Changes
from server.storage.engine import open_sqlite


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    path = tmp_path / "test.db"
    engine = open_sqlite(path, begin="BEGIN IMMEDIATE", pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE numbers (value INTEGER)"))
    await engine.dispose()
    return path


@pytest.fixture
async def changes(file: Path) -> AsyncIterator[Changes]:
    watching = Changes(file)
    yield watching
    await watching.close()


def write(file: Path, *, commit: bool = True) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("INSERT INTO numbers VALUES (1)")
        if commit:
            other.commit()


async def test_it_stays_while_nobody_writes(file: Path, changes: Changes) -> None:
    before = await changes.version()

    with closing(sqlite3.connect(file)) as other:
        other.execute("SELECT * FROM numbers").fetchall()

    assert await changes.version() == before is not None


async def test_every_commit_moves_it(file: Path, changes: Changes) -> None:
    seen = [await changes.version()]

    for _ in range(3):
        write(file)
        seen.append(await changes.version())

    assert len(set(seen)) == 4


async def test_what_is_rolled_back_does_not_move_it(file: Path, changes: Changes) -> None:
    before = await changes.version()

    write(file, commit=False)

    assert await changes.version() == before


async def test_a_checkpoint_hides_no_commit(file: Path, changes: Changes) -> None:
    before = await changes.version()

    with closing(sqlite3.connect(file)) as other:
        other.execute("INSERT INTO numbers VALUES (1)")
        other.commit()
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    assert await changes.version() != before


async def test_a_file_that_cannot_be_opened_tells_nothing(tmp_path: Path) -> None:
    changes = Changes(tmp_path / "no such folder" / "test.db")

    assert await changes.version() is None
    await changes.close()
