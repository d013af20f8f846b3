"""Wakes players when they are due: one heap and one alarm for the whole worker.

An open schedule waits for nobody. Who is woken late is told when they were due, and acts at once; nothing is
left out. How late those who waited could act is recorded as the worker's slip.
"""

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from loadtest.alarm import Alarm, alarm

NS: Final = 1_000_000_000
YIELD_EACH: Final = 32
"""Who is so many acts behind lets others have their turn in between."""


class Pacer:
    """Times are nanoseconds of the monotonic clock. `close` when nobody is to be woken any more."""

    def __init__(
        self,
        slip: Callable[[int], None],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        alarm: Callable[[Callable[[], None]], Alarm] = alarm,
    ) -> None:
        self._slip = slip
        self.clock_ns = clock_ns
        self._alarm = alarm(self._wake)
        self._set_for_ns = 0
        """When the alarm comes; 0: it is not set."""
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._behind = 0
        self._hurries = False

    async def until(self, due_ns: int, *, acts: bool = True) -> None:
        """Return once it is due; at once, but for an occasional turn of others, when it already was.

        `acts`: whether something is done then that is late when this is.
        """
        now = self.clock_ns()
        if due_ns <= now or self._hurries:
            # Who comes this late was kept by the server, not by us: that is a latency, and no slip of ours.
            self._behind += 1
            if self._behind % YIELD_EACH == 0:
                await asyncio.sleep(0)
            return
        woken = self._loop.create_future()
        heapq.heappush(self._waiting, (due_ns, next(self._order), woken))
        if not self._set_for_ns or due_ns < self._set_for_ns:
            self._set(due_ns, now)
        await woken
        # Not when it is woken: those who act before it are also what makes it late.
        if acts and not self._hurries:
            self._slip((self.clock_ns() - due_ns) // 1000)

    def hurry(self) -> None:
        """Nobody waits any more, now and from now on: the run is being stopped."""
        self._hurries = True
        for _, _, woken in self._waiting:
            if not woken.done():
                woken.set_result(None)
        self._waiting.clear()

    def close(self) -> None:
        """Forget everybody: their waits are cancelled."""
        self._alarm.close()
        for _, _, woken in self._waiting:
            woken.cancel()
        self._waiting.clear()

    def _set(self, due_ns: int, now_ns: int) -> None:
        self._set_for_ns = due_ns
        self._alarm.set(due_ns, now_ns)

    def _wake(self) -> None:
        now = self.clock_ns()
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            woken = heapq.heappop(waiting)[-1]
            if not woken.done():
                woken.set_result(None)
        if waiting:
            self._set(waiting[0][0], now)
        else:
            self._set_for_ns = 0
            self._alarm.clear()
