"""The newest schema is known without Alembic, and everything else is left to it."""

import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text

from server.storage import revision
from server.storage.database import Database
from server.storage.revision import NEWEST, is_newest
from tests.support.databases import migrated, opened, sqlite_url

OPEN = """
import asyncio, sys
from server.storage.database import Database

async def main():
    database = Database()
    await database.open(sys.argv[1])
    await database.close()

asyncio.run(main())
print("alembic" in sys.modules)
"""


async def found(url: str, *statements: str) -> bool:
    async with opened(url) as engine:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
        return await is_newest(engine)


def test_the_newest_revision_is_the_last_of_the_scripts() -> None:
    scripts = ScriptDirectory(str(Path(revision.__file__).parent / "migrations"))

    assert scripts.get_heads() == [NEWEST]


async def test_a_migrated_database_is_newest(empty_url: str) -> None:
    assert not await found(empty_url)

    await migrated(empty_url)

    assert await found(empty_url)


async def test_an_older_and_a_newer_schema_are_not(empty_url: str) -> None:
    await migrated(empty_url, to="0004")

    assert not await found(empty_url)
    assert not await found(empty_url, "UPDATE alembic_version SET version_num = '9999'")


async def test_a_schema_of_no_or_of_two_revisions_is_not(empty_url: str) -> None:
    await migrated(empty_url)

    assert not await found(empty_url, "INSERT INTO alembic_version (version_num) VALUES ('0004')")
    assert not await found(empty_url, "DELETE FROM alembic_version")


async def test_what_is_not_newest_is_migrated_when_it_is_opened(empty_url: str) -> None:
    await migrated(empty_url, to="0004")
    database = Database()

    await database.open(empty_url)
    await database.close()

    assert await found(empty_url)


def test_alembic_is_imported_only_for_a_migration(tmp_path: Path) -> None:
    def imported(url: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", OPEN, url], stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    assert imported(sqlite_url(tmp_path)) == "False"
    assert imported(f"sqlite:///{tmp_path}/new.db") == "True"
