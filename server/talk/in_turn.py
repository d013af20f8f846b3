"""Work that goes on one piece after the other, by key, whoever waits for it.

For what is written and then told: those who listen hear it in the order in which it was written, also when
the player who caused it is gone by then.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from protocol.errors import RequestError
from server.storage.failures import Reason, StorageUnavailable
from server.tasks import TaskOwner

T = TypeVar("T")

LIMIT = 10_000


class InTurn:
    """Pieces of work with the same key wait for each other. `refused` counts those there was no room for."""

    def __init__(self, tasks: TaskOwner, *, limit: int = LIMIT) -> None:
        """`limit`: how many pieces may be under way or wait."""
        self._tasks = tasks
        self._limit = limit
        # A lock lives as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.waiting = 0
        self.refused = 0

    async def do(self, key: str, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` when all earlier work of this key is done, to its end even if the caller is cancelled.

        Raises what it raises, and `StorageUnavailable` when too much is under way.
        """
        if self.waiting >= self._limit:
            work.close()
            self.refused += 1
            raise StorageUnavailable(Reason.CROWDED)
        lock = self._locks.setdefault(key, asyncio.Lock())
        self.waiting += 1
        task = self._tasks.spawn("write", self._outcome(lock, work))
        task.add_done_callback(lambda _: self._done(work))
        outcome = await asyncio.shield(task)
        if isinstance(outcome, RequestError):
            raise outcome
        return outcome

    async def _outcome(self, lock: asyncio.Lock, work: Coroutine[Any, Any, T]) -> T | RequestError:
        """A refusal is a result here: a task that raises is a bug."""
        async with lock:
            try:
                return await work
            except RequestError as refusal:
                return refusal

    def _done(self, work: Coroutine[Any, Any, object]) -> None:
        self.waiting -= 1
        work.close()  # it has not begun when its task was cancelled at the end of the process
