"""Asks for sockets when their logins end: many in one question, one question at a time.

A question that fails answers nobody: all are asked again, a few seconds later each time.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Protocol

import structlog

from server.clock import Clock
from server.tasks import TaskOwner

log = structlog.get_logger("lockgate.sessions")

BATCH = 500
LIMIT_S = 10.0
RETRY_S = 2.0
MAX_RETRY_S = 30.0


class FamilyEnds(Protocol):
    """Port: until when logins can be refreshed."""

    async def ends(self, family_ids: Sequence[str]) -> Mapping[str, int]:
        """By login the Unix second at which its newest refresh token ends; revoked ones are absent."""
        ...


Tell = Callable[[str, int | None], None]
"""Takes a session id, and when its login ends; None if that is over already."""


class FamilyChecks:
    """Sessions that wait to hear of their login. Call `sweep` about once a second."""

    def __init__(self, families: FamilyEnds, tasks: TaskOwner, clock: Clock, tell: Tell) -> None:
        self._families = families
        self._tasks = tasks
        self._clock = clock
        self._tell = tell
        self._waiting: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = float("-inf")
        self.failed = 0
        """Questions that were not answered."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, session_id: str, family_id: str) -> None:
        """Let this session be told at one of the next sweeps."""
        self._waiting[session_id] = family_id

    def forget(self, session_id: str) -> None:
        """This session is not to be told any more."""
        self._waiting.pop(session_id, None)

    def sweep(self) -> None:
        """Ask for those who wait, unless that is under way or has just failed."""
        is_asking = self._task is not None and not self._task.done()
        if self._waiting and not is_asking and self._clock.monotonic() >= self._retry_at:
            self._task = self._tasks.spawn("family_ends", self._ask_for_all())

    async def _ask_for_all(self) -> None:
        while self._waiting:
            batch = dict(islice(self._waiting.items(), BATCH))
            try:
                async with asyncio.timeout(LIMIT_S):
                    ends = await self._families.ends(sorted(set(batch.values())))
            except Exception as error:  # whatever it was, no player pays for it
                self._retry_later(error)
                return
            self._failures = 0
            for session_id, family_id in batch.items():
                # It is kept until now, so that a failure loses nobody, and nobody who left is told.
                if self._waiting.pop(session_id, None) is not None:
                    self._tell(session_id, ends.get(family_id))

    def _retry_later(self, error: Exception) -> None:
        wait_s = min(RETRY_S * 2**self._failures, MAX_RETRY_S)
        self._retry_at = self._clock.monotonic() + wait_s
        self._failures = min(self._failures + 1, 10)
        self.failed += 1
        # Not its text, which may quote the statement and what it was asked with.
        log.warning(
            "expiry_check_failed", error=type(error).__name__, waiting=len(self._waiting), retry_in_s=wait_s
        )
