"""Writes of a database with one writer: those that wait share a transaction, and with it the disk's delay.

Each is acknowledged after the commit. Batches run in a task of their own, so a caller that is cancelled takes
nothing from the others. Knows nothing of what is written.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage.engine import Work
from server.storage.failures import Reason, StorageUnavailable, reason_of
from server.tasks import TaskOwner

T = TypeVar("T")

BATCH_LIMIT = 128
CAREFUL = 16
"""Batches after one with a failure that have savepoints, which cost each write two statements."""


@dataclass(slots=True, eq=False)
class _Pending(Generic[T]):
    work: Work[T]
    done: asyncio.Future[T]


class Writer:
    """Runs writes one after the other, many to a transaction. You must `close` it before its engine.

    A work may be done again when its transaction was not committed, so it must be repeatable.
    """

    def __init__(self, engine: AsyncEngine, tasks: TaskOwner) -> None:
        self._engine = engine
        self._tasks = tasks
        self._waiting: deque[_Pending[Any]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._careful = 0
        self.commits = 0

    async def run(self, work: Work[T]) -> T:
        """Do `work` in a transaction and return its result once that is committed. Raises what it raises.

        A caller that is cancelled may leave a work behind that is done nevertheless.
        """
        if self._closed:
            raise StorageUnavailable(Reason.CLOSED)
        mine: _Pending[T] = _Pending(work, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if self._running is None:
            self._running = self._tasks.spawn("batches", self._batches())
        return await mine.done

    async def close(self) -> None:
        """Take no more writes, and wait until those that were taken are answered."""
        self._closed = True
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _batches(self) -> None:
        # Nothing is awaited between the last look at what waits and the end, so no write is missed.
        try:
            while self._waiting:
                size = min(BATCH_LIMIT, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(size)]
                if batch := [item for item in batch if not item.done.done()]:  # the others were cancelled
                    await self._commit(batch)
        finally:
            self._running = None
            while self._waiting:  # only if this task was cancelled: nobody else would answer them
                self._waiting.popleft().done.cancel()

    async def _commit(self, batch: list[_Pending[Any]]) -> None:
        outcomes: list[Any | Exception] = []
        try:
            outcomes = await self._transact(batch)
            self.commits += 1
        except Exception as error:  # a lone work or the commit failed: all of the batch must hear of it
            outcomes = [error] * len(batch)
        finally:
            _tell(batch, outcomes)

    async def _transact(self, batch: list[_Pending[Any]]) -> list[Any | Exception]:
        if len(batch) > 1 and self._careful > 0:
            self._careful -= 1
            return await self._apart(batch)
        spoilt = False
        try:
            async with self._engine.begin() as connection:
                try:
                    return [await item.work(connection) for item in batch]
                except Exception as error:
                    spoilt = len(batch) > 1 and reason_of(error) is None
                    raise
        except Exception:
            if not spoilt:
                raise
        # Nothing of it is left. Where one failed others will: they are told apart from the start for a while.
        self._careful = CAREFUL
        return await self._apart(batch)

    async def _apart(self, batch: list[_Pending[Any]]) -> list[Any | Exception]:
        """A savepoint each: one that fails does not take the others' writes with it."""
        async with self._engine.begin() as connection:
            return [await self._attempt(connection, item.work) for item in batch]

    async def _attempt(self, connection: AsyncConnection, work: Work[Any]) -> Any | Exception:
        try:
            async with connection.begin_nested():
                return await work(connection)
        except Exception as error:
            if reason_of(error) is not None:
                raise  # SQLite may have rolled back the whole transaction, without a word
            return error  # told to its own caller, by the future


def _tell(batch: list[_Pending[Any]], outcomes: list[Any | Exception]) -> None:
    if len(outcomes) < len(batch):  # cancelled in the middle, at the end of the process
        outcomes = [StorageUnavailable(Reason.CLOSED)] * len(batch)
    for item, outcome in zip(batch, outcomes, strict=True):
        if item.done.done():
            continue  # its caller was cancelled and hears nothing
        if isinstance(outcome, Exception):
            item.done.set_exception(outcome)
        else:
            item.done.set_result(outcome)
