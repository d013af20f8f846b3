"""What SQLAlchemy needs of a driver, in one visit to the connection's thread for each statement."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.engine import open_sqlite
from server.storage.sqlite import Connection, connect


class Visits:
    """Counts what is carried out on the threads of connections."""

    def __init__(self) -> None:
        self.count = 0

    def since(self) -> int:
        """How many since the last call."""
        count, self.count = self.count, 0
        return count


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> Visits:
    counted = Visits()
    plain = Connection._execute

    async def execute(self: Connection, *arguments: object, **options: object) -> object:
        counted.count += 1
        # The driver has no types.
        return await plain(self, *arguments, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(Connection, "_execute", execute)
    return counted


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_sqlite(tmp_path / "test.db", begin="BEGIN IMMEDIATE", pool_size=1)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE numbers (value INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO numbers VALUES (1), (2), (3)"))
    yield engine
    await engine.dispose()


async def test_a_question_alone_is_one_visit(tmp_path: Path, engine: AsyncEngine, visits: Visits) -> None:
    reading = open_sqlite(tmp_path / "test.db", begin=None, pool_size=1)
    async with reading.connect() as connection:
        await connection.execute(text("SELECT 1"))  # the connection is made
    visits.since()

    async with reading.connect() as connection:
        found = (await connection.execute(text("SELECT value FROM numbers"))).scalars().all()
    made = visits.since()
    await reading.dispose()

    assert found == [1, 2, 3]
    assert made == 1


async def test_a_write_is_one_beside_its_transaction(engine: AsyncEngine, visits: Visits) -> None:
    visits.since()

    async with engine.begin() as connection:
        done = await connection.execute(text("UPDATE numbers SET value = value + 10 WHERE value > 1"))

    assert done.rowcount == 2
    assert visits.since() == 4  # begin, update, commit; and when it is given back, the pool makes sure


async def test_rows_of_a_write_are_told(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        gone = await connection.execute(text("DELETE FROM numbers WHERE value > 1 RETURNING value"))

        assert sorted(gone.scalars()) == [2, 3]


async def test_many_rows_are_written_at_once(engine: AsyncEngine, visits: Visits) -> None:
    rows = [{"value": value} for value in range(10, 20)]
    visits.since()

    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO numbers VALUES (:value)"), rows)

        assert visits.since() == 2
        assert (await connection.execute(text("SELECT count(*) FROM numbers"))).scalar() == 13


async def test_a_transaction_that_fails_is_undone(engine: AsyncEngine) -> None:
    async def twice() -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO numbers VALUES (4)"))
            await connection.execute(text("INSERT INTO numbers VALUES (1)"))

    with pytest.raises(IntegrityError):
        await twice()

    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT max(value) FROM numbers"))).scalar() == 3


async def test_what_sqlite_refuses_is_told_by_its_own_error(engine: AsyncEngine) -> None:
    with pytest.raises(OperationalError) as refused:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT * FROM nothing"))

    assert isinstance(refused.value.orig, sqlite3.OperationalError)
    assert refused.value.orig.sqlite_errorname == "SQLITE_ERROR"


async def test_a_connection_sees_what_others_committed_between_its_questions(
    tmp_path: Path, engine: AsyncEngine
) -> None:
    reading = open_sqlite(tmp_path / "test.db", begin=None, pool_size=1)
    query = text("SELECT count(*) FROM numbers")

    async with reading.connect() as connection:
        before = (await connection.execute(query)).scalar()
        async with engine.begin() as writing:
            await writing.execute(text("INSERT INTO numbers VALUES (4)"))
        after = (await connection.execute(query)).scalar()
    await reading.dispose()

    assert (before, after) == (3, 4)


async def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        _ = await connect(tmp_path / "no such folder" / "test.db")
