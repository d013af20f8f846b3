"""From whatever a database holds to the schema of this release, or a refusal that changes nothing."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from server.storage import migrate as migrate_module
from server.storage.database import Database
from server.storage.migrate import LOCATION, UNVERSIONED, migrate
from server.storage.tables import metadata
from tests.support.databases import migrated, opened

ACCOUNT = text(
    "INSERT INTO accounts (id, username, display_name, avatar_url, lang_tag, location, timezone, metadata,"
    " create_time, update_time) VALUES ('a', 'alice', '', '', 'en', '', '', '{}', 1, 1)"
)


async def state(engine: AsyncEngine) -> tuple[Sequence[object], str | None]:
    """What the schema lacks of `tables.py`, and the revision it says it has."""

    def look(connection: Connection) -> tuple[Sequence[object], str | None]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, metadata), context.get_current_revision()

    async with engine.connect() as connection:
        return await connection.run_sync(look)


def head() -> str:
    found = ScriptDirectory(str(Path(migrate_module.__file__).parent / "migrations")).get_current_head()
    assert found is not None
    return found


async def test_the_revisions_make_what_the_tables_describe(empty_url: str) -> None:
    await migrated(empty_url)

    async with opened(empty_url) as engine:
        assert await state(engine) == ([], head())


async def test_a_database_from_before_revisions_goes_on(empty_url: str) -> None:
    await migrated(empty_url, to="0001")
    async with opened(empty_url) as engine, engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
        await connection.execute(text("DROP TABLE spent_tokens"))  # it came later than the others
        await connection.execute(ACCOUNT)
    await migrated(empty_url)

    async with opened(empty_url) as engine:
        assert await state(engine) == ([], head())
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT id FROM accounts"))).all() == [("a",)]


async def test_tables_that_no_release_made_are_left_alone(empty_url: str) -> None:
    async with opened(empty_url) as engine, engine.begin() as connection:
        await connection.execute(text("CREATE TABLE accounts (id integer)"))

    with pytest.raises(ValueError, match="accounts is not one that a release made"):
        await migrated(empty_url)

    async with opened(empty_url) as engine, engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert tables == ["accounts"]


async def test_a_schema_newer_than_the_release_is_left_alone(empty_url: str) -> None:
    await migrated(empty_url)
    async with opened(empty_url) as engine, engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database = Database()

    with pytest.raises(
        ValueError, match=f"revision 9999, newer than this release, which knows up to {head()}"
    ):
        await database.open(empty_url)

    async with opened(empty_url) as engine:
        assert (await state(engine))[1] == "9999"


async def test_a_step_that_fails_leaves_the_old_schema_and_its_rows(
    empty_url: str,
) -> None:
    await migrated(empty_url, to="0001")
    async with opened(empty_url) as engine, engine.begin() as connection:
        await connection.execute(ACCOUNT)
        # What the second revision makes last is there already.
        await connection.execute(text("CREATE TABLE bans (issuer integer)"))

    with pytest.raises(ValueError, match="cannot be brought to revision"):
        await migrated(empty_url)

    async with opened(empty_url) as engine:
        async with engine.connect() as connection:
            columns = await connection.run_sync(lambda sync: inspect(sync).get_columns("families"))
            assert {column["name"] for column in columns} == UNVERSIONED["families"]
            assert (await connection.execute(text("SELECT id FROM accounts"))).all() == [("a",)]
        assert (await state(engine))[1] == "0001"


async def test_a_step_that_breaks_a_reference_is_not_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lockgate.db'}"
    await migrated(url, to="0001")
    async with opened(url, foreign_keys=False) as engine, engine.begin() as connection:
        await connection.execute(text("INSERT INTO identities VALUES ('i', 's', 'nobody', 1)"))

    with pytest.raises(ValueError, match="rows of identities that refer to nothing"):
        await migrated(url)

    async with opened(url) as engine:
        assert (await state(engine))[1] == "0001"


async def test_a_second_start_changes_nothing(empty_url: str) -> None:
    with capture_logs() as events:
        for _ in range(2):
            database = Database()
            await database.open(empty_url)
            await database.close()

    assert [event["event"] for event in events].count("schema_migrated") == 1


async def test_databases_opened_at_once_do_not_mix(tmp_path: Path, empty_url: str) -> None:
    databases = [Database() for _ in range(4)]

    await asyncio.gather(
        *(database.open(empty_url) for database in databases[:2]),
        *(
            database.open(f"sqlite:///{tmp_path / name}.db")
            for database, name in zip(databases[2:], "ab", strict=True)
        ),
    )

    for database in databases:
        await database.close()
    async with opened(empty_url) as engine:
        assert await state(engine) == ([], head())


def test_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    program = (
        "import asyncio, sys\n"
        "from server.storage.database import Database\n"
        "async def start():\n"
        "    database = Database()\n"
        "    await database.open(sys.argv[1])\n"
        "    await database.close()\n"
        "asyncio.run(start())\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]

    output = [process.communicate()[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, output
    assert "".join(output).count("schema_migrated") == 1


async def test_a_file_is_copied_before_its_migration(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.db"
    await migrated(f"sqlite:///{file}", to="0001")
    file.chmod(0o600)
    database = Database()
    await database.open(f"sqlite:///{file}")
    await database.close()

    copy = tmp_path / f"lockgate.db.before-{head()}"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


async def test_a_new_file_is_not_copied(tmp_path: Path) -> None:
    database = Database()
    await database.open(f"sqlite:///{tmp_path / 'folder' / 'lockgate.db'}")
    await database.close()

    assert not list((tmp_path / "folder").glob("*.before-*"))


async def test_no_migration_without_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lockgate.db"
    await migrated(f"sqlite:///{file}", to="0001")

    def full(_file: Path, _revision: str) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrate_module, "back_up", full)
    async with opened(f"sqlite:///{file}", foreign_keys=False) as engine:
        with pytest.raises(ValueError, match=r"cannot be copied before its migration: .*No space left"):
            await migrate(engine, file)
        assert (await state(engine))[1] == "0001"


def test_revisions_are_numbered_in_one_line() -> None:
    scripts = ScriptDirectory(str(Path(migrate_module.__file__).parent / LOCATION.partition(":")[2]))
    numbers = [script.revision for script in scripts.walk_revisions()]

    assert numbers == [f"{number:04}" for number in range(len(numbers), 0, -1)]
