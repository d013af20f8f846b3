"""The only place that makes tasks: each has a name, an owner that keeps it, and a log line if it fails."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger("lockgate.tasks")


class TaskOwner:
    """Keeps the tasks of one component alive, reports those that fail, and cancels the rest at the end."""

    def __init__(self, component: str) -> None:
        self._component = component
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start `work` as a task named `component.name`. An exception that leaves it is logged."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._component}.{name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def idle(self) -> None:
        """Wait until nothing runs, what is spawned meanwhile included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel_all(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)
