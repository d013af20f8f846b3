"""SQLite through SQLAlchemy: how a database file is opened, and how writes are brought to disk.

Readers have connections of their own and never wait. Writers share one connection and, when several wait,
one transaction: each is acknowledged after the commit, which in WAL with `synchronous=FULL` is on disk.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000
READERS = 4
BATCH_LIMIT = 128

Work = Callable[[AsyncConnection], Awaitable[T]]


def sqlite_path(url: str) -> Path:
    """The file named by `sqlite:///path`. Raises ValueError for anything else, memory included."""
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    if not url.startswith(prefix) or not path or ":memory:" in path or "?" in path:
        raise ValueError("storage.url must be sqlite:///path of a file")
    return Path(path)


def open_engine(path: Path, *, begin: str, pool_size: int) -> AsyncEngine:
    """An engine whose transactions start with `begin`, as SQLAlchemy's SQLite notes advise."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=pool_size, max_overflow=0)

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN would come late, and a read followed by a write could then fail as busy.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", start)
    return engine


@dataclass(slots=True, eq=False)
class _Pending(Generic[T]):
    work: Work[T]
    done: asyncio.Future[T]


class Writer:
    """Runs writes one after the other, many to a transaction.

    The first caller that gets the lock carries out everything that waits. If that caller is cancelled, its
    transaction is rolled back and the next one starts over, so a work must be repeatable.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._lock = asyncio.Lock()
        self._waiting: deque[_Pending[Any]] = deque()

    async def run(self, work: Work[T]) -> T:
        """Do `work` in a transaction and return its result once that is committed. Raises what it raises."""
        mine: _Pending[T] = _Pending(work, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        try:
            async with self._lock:
                while not mine.done.done():
                    await self._commit(
                        [self._waiting[i] for i in range(min(BATCH_LIMIT, len(self._waiting)))]
                    )
            return mine.done.result()
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)

    async def _commit(self, batch: list[_Pending[Any]]) -> None:
        outcomes: list[Any | Exception] = []
        try:
            async with self._engine.begin() as connection:
                if len(batch) == 1:  # the transaction itself is what a failure undoes
                    outcomes = [await batch[0].work(connection)]
                else:
                    outcomes = [await self._attempt(connection, item.work) for item in batch]
        except Exception as error:  # a lone work or the commit failed: all of the batch must hear of it
            outcomes = [error] * len(batch)
        for item, outcome in zip(batch, outcomes, strict=True):
            if item not in self._waiting:
                continue  # its caller was cancelled and hears nothing
            self._waiting.remove(item)
            if isinstance(outcome, Exception):
                item.done.set_exception(outcome)
            else:
                item.done.set_result(outcome)

    async def _attempt(self, connection: AsyncConnection, work: Work[Any]) -> Any | Exception:
        # A savepoint each: one that fails must not take the others' writes with it.
        try:
            async with connection.begin_nested():
                return await work(connection)
        except Exception as error:  # told to its own caller, by the future
            return error
