"""An opened database: connections to read, and a place for transactions that write.

The one owner of engines, and the one place where a database that fails becomes `StorageUnavailable`. What is
asked and written is the business of the modules beside it.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.changes import Changes
from server.storage.engine import TIMEOUT_S, Work, open_postgres, open_sqlite
from server.storage.failures import REPEATABLE, Reason, StorageUnavailable, reason_of, sqlstate, text_of
from server.storage.revision import is_newest
from server.storage.url import PostgresServer, SqliteFile, parse
from server.storage.writer import Writer
from server.tasks import TaskOwner

T = TypeVar("T")

POOL_SIZE = 10
SQLITE_READERS = 4
WAITING_LIMIT = 10_000
ATTEMPTS = 5
"""How often PostgreSQL is asked for a transaction that others got in the way of."""

log = structlog.get_logger("lockgate.storage")

Operation = Literal["read", "write"]


class Database:
    """You must `open` it before use and `close` it at the end. Counts what it did and could not do."""

    def __init__(self, *, waiting_limit: int = WAITING_LIMIT) -> None:
        """`waiting_limit`: how many reads and writes may be under way or wait; one more is refused."""
        self._waiting_limit = waiting_limit
        self._engines: list[AsyncEngine] = []
        self._tasks = TaskOwner("storage")
        self._writer: Writer | None = None
        self._changes: Changes | None = None
        self._writing: AsyncEngine
        self._reading: AsyncEngine
        self._transactions = 0
        self._troubles: dict[Operation, set[Reason]] = {"read": set(), "write": set()}
        self.waiting = 0
        """Reads and writes under way, those that wait for their turn included."""
        self.writes = 0
        self.repeated = 0
        """Transactions done again because others got in the way."""
        self.failures: Counter[Reason] = Counter(dict.fromkeys(Reason, 0))

    @property
    def commits(self) -> int:
        """Transactions of writes that were committed; writes that waited together share one."""
        return self._transactions + (0 if self._writer is None else self._writer.commits)

    async def open(self, url: str, *, pool_size: int = POOL_SIZE, timeout_s: float = TIMEOUT_S) -> None:
        """Open `sqlite:///path` or `postgresql://…`, and bring its schema to this release's.

        A SQLite file and its folder are made where missing. Raises ValueError, whose text names no password.
        """
        try:
            target = parse(url)
        except ValueError as error:
            raise ValueError(f"storage.url {error}") from None
        try:
            match target:
                case SqliteFile():
                    await self._open_file(target, timeout_s)
                case PostgresServer():
                    await self._open_server(target, pool_size, timeout_s)
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError | SQLAlchemyError | ValueError):
                raise ValueError(f"storage.url: {target}: {text_of(error)}") from None
            raise

    async def close(self) -> None:
        """Wait for the writes that were taken, take no more, and let go of the database."""
        if self._writer is not None:
            await self._writer.close()
        changes, self._changes = self._changes, None
        if changes is not None:
            await changes.close()
        engines, self._engines = self._engines, []
        for engine in engines:
            await engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees what was committed before its question. Raises `StorageUnavailable`."""
        with self._guarded("read"):
            async with self._reading.connect() as connection:
                yield connection

    async def version(self) -> int | None:
        """A number that is another one after every commit, whoever made it; None where nobody tells.

        It costs a tenth of a question, and so spares whoever asks again and again.
        """
        return None if self._changes is None else await self._changes.version()

    async def write(self, work: Work[T]) -> T:
        """Do `work` in a transaction and return its result once that is on disk.

        It may be done several times before it is committed. Raises what it raises, and `StorageUnavailable`:
        then it may be done or not.
        """
        with self._guarded("write"):
            result = await (self._transact(work) if self._writer is None else self._writer.run(work))
        self.writes += 1
        return result

    async def _open_file(self, file: SqliteFile, timeout_s: float) -> None:
        path = file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # what SQLite keeps beside it gets the same rights
        self._writing = open_sqlite(path, begin="BEGIN IMMEDIATE", pool_size=1, timeout_s=timeout_s)
        self._engines = [self._writing]
        if not await is_newest(self._writing):
            changing = open_sqlite(
                path, begin="BEGIN IMMEDIATE", pool_size=1, timeout_s=timeout_s, foreign_keys=False
            )
            self._engines.append(changing)
            await _migrate(changing, path)
            await changing.dispose()
        # As with a server below: a question is one statement, which needs no transaction around it.
        self._reading = open_sqlite(path, begin=None, pool_size=SQLITE_READERS, timeout_s=timeout_s)
        self._engines = [self._writing, self._reading]
        self._writer = Writer(self._writing, self._tasks)
        self._changes = Changes(path)

    async def _open_server(self, server: PostgresServer, pool_size: int, timeout_s: float) -> None:
        self._writing = open_postgres(server, pool_size=pool_size, timeout_s=timeout_s)
        self._engines = [self._writing]
        if not await is_newest(self._writing):
            # A migration takes as long as it takes.
            changing = open_postgres(server, pool_size=1, timeout_s=timeout_s, statement_s=0)
            self._engines.append(changing)
            await _migrate(changing)
            await changing.dispose()
            self._engines = [self._writing]
        # A question needs no transaction, and is spared the two round trips of one.
        self._reading = self._writing.execution_options(isolation_level="AUTOCOMMIT")

    async def _transact(self, work: Work[T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._attempt(work)
            except DBAPIError as error:
                if sqlstate(error) not in REPEATABLE:
                    raise
                self.repeated += 1
        return await self._attempt(work)

    async def _attempt(self, work: Work[T]) -> T:
        async with self._writing.begin() as connection:
            result = await work(connection)
        self._transactions += 1
        return result

    @contextmanager
    def _guarded(self, operation: Operation) -> Iterator[None]:
        if self.waiting >= self._waiting_limit:
            raise self._failed(operation, Reason.CROWDED)
        self.waiting += 1
        try:
            yield
        except StorageUnavailable as error:
            raise self._failed(operation, error.reason) from None
        except Exception as error:
            reason = reason_of(error)
            if reason is None:
                raise
            raise self._failed(operation, reason) from None
        finally:
            self.waiting -= 1
        if troubles := self._troubles[operation]:
            log.info("storage_recovered", operation=operation, reasons=sorted(troubles))
            troubles.clear()

    def _failed(self, operation: Operation, reason: Reason) -> StorageUnavailable:
        self.failures[reason] += 1
        # Once until it works again: during an outage every request fails.
        if reason not in self._troubles[operation]:
            self._troubles[operation].add(reason)
            log.error("storage_failed", operation=operation, reason=reason.value)
        return StorageUnavailable(reason)


async def _migrate(engine: AsyncEngine, file: Path | None = None) -> None:
    # Late, because most starts have nothing to migrate; `revision` tells what it would cost them.
    from server.storage.migrate import migrate

    await migrate(engine, file)
