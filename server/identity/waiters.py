"""Callers who wait for one event, bounded in number and in time, woken a few per turn of the event loop.

What a caller does next may cost a fraction of a millisecond; a thousand of them in one turn would hold up
everybody else's heartbeat. Knows nothing of what is waited for.
"""

import asyncio
from collections import deque

WOKEN_PER_TURN = 20


class TooManyWaiters(Exception):
    """The bound is reached; the caller must not wait."""


class Waiters:
    """You must `wake` those who wait; each `wait` ends after `timeout_s` at the latest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._waiting: dict[asyncio.Future[bool], None] = {}
        self._waking: deque[tuple[asyncio.Future[bool], bool]] = deque()

    def __len__(self) -> int:
        return self._count

    async def wait(self, timeout_s: float) -> bool:
        """The outcome given to the next `wake`. Raises `TooManyWaiters` at once, TimeoutError late."""
        if self._count >= self._limit:
            raise TooManyWaiters
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._count += 1
        self._waiting[woken] = None
        try:
            async with asyncio.timeout(timeout_s):
                return await woken
        finally:
            self._count -= 1
            self._waiting.pop(woken, None)

    def wake(self, outcome: bool) -> None:
        """Give everyone who waits now this outcome, the first of them in this turn."""
        idle = not self._waking
        self._waking.extend((woken, outcome) for woken in self._waiting)
        self._waiting = {}
        if idle:
            self._wake_some()

    def _wake_some(self) -> None:
        for _ in range(min(WOKEN_PER_TURN, len(self._waking))):
            woken, outcome = self._waking.popleft()
            if not woken.done():
                woken.set_result(outcome)
        if self._waking:
            asyncio.get_running_loop().call_soon(self._wake_some)
