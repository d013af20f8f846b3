"""So much of a kind of work in each turn of the event loop; the rest waits, the first to come first."""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """At most `at_once` pieces of work in a turn. What waits is bounded by whoever waits."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._taken = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._begins = False

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self) -> bool:
        """Whether it may be done now; else `wait`."""
        if self._waiting or self._taken >= self._at_once:
            return False
        self._taken += 1
        self._next()
        return True

    def wait(self, work: Callable[[], None]) -> None:
        """Do it in a later turn. It must not raise."""
        self._waiting.append(work)
        self._next()

    def _next(self) -> None:
        if not self._begins:
            self._begins = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._begins = False
        self._taken = min(self._at_once, len(self._waiting))
        batch = [self._waiting.popleft() for _ in range(self._taken)]
        if batch:
            self._next()
        for work in batch:
            work()
