"""An opened database: connections to read, and a place for transactions that write.

The one owner of engines; what is asked and written is the business of the modules beside it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import READERS, Work, Writer, open_engine, sqlite_path
from server.storage.tables import metadata

T = TypeVar("T")


class Database:
    """You must `open` it before use and `close` it at the end."""

    def __init__(self) -> None:
        self._engines: list[AsyncEngine] = []

    async def open(self, url: str) -> None:
        """Open `sqlite:///path`, making file, folder and tables where missing. Raises ValueError."""
        path = sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writing = open_engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._reading = open_engine(path, begin="BEGIN", pool_size=READERS)
        self._engines = [self._writing, self._reading]
        try:
            async with self._writing.begin() as connection:
                await connection.run_sync(metadata.create_all)
        except DBAPIError as error:
            raise ValueError(f"storage.url: {path}: {error.orig}") from None
        self._writer = Writer(self._writing)

    async def close(self) -> None:
        engines, self._engines = self._engines, []
        for engine in engines:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees what was committed before its first question."""
        async with self._reading.connect() as connection:
            yield connection

    async def write(self, work: Work[T]) -> T:
        """Do `work` in a transaction and return its result once that is on disk.

        It may be done several times before it is committed. Raises what it raises.
        """
        return await self._writer.run(work)
