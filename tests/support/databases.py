"""Databases made and opened below the store: quickly, or for tests of statements and of the schema itself."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.engine import open_postgres, open_sqlite
from server.storage.migrate import migrate
from server.storage.url import SqliteFile, parse


@asynccontextmanager
async def opened(url: str, *, foreign_keys: bool = True) -> AsyncIterator[AsyncEngine]:
    """An engine that writes, on whatever the database holds."""
    target = parse(url)
    if isinstance(target, SqliteFile):
        engine = open_sqlite(target.path, begin="BEGIN IMMEDIATE", pool_size=1, foreign_keys=foreign_keys)
    else:
        engine = open_postgres(target, pool_size=4)
    try:
        yield engine
    finally:
        await engine.dispose()


async def migrated(url: str, *, to: str | None = None) -> None:
    """Bring the database to a revision, as a start does; without the copy of the file."""
    async with opened(url, foreign_keys=False) as engine:
        await migrate(engine, to=to)


def sqlite_url(folder: Path) -> str:
    """The URL of `lockgate.db` in `folder`. A new one is a copy: migrating takes ten times as long."""
    file = folder / "lockgate.db"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_migrated_file())
    return f"sqlite:///{file}"


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        file = Path(folder) / "lockgate.db"
        # In a thread, as the caller's own loop may run.
        thread.submit(asyncio.run, migrated(f"sqlite:///{file}")).result()
        return file.read_bytes()
