"""Databases opened below the store, for tests of statements and of the schema itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
