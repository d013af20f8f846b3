"""How long the event loop was held up: the most CPU time its thread used within one turn.

CPU time and not the time of the wall, so that a busy machine does not fail a test: what other processes take
is no fault of ours. A call that blocks without working shows differently: the tests' servers run in the same
loop, so whoever blocks on them waits for ever.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator


class LoopLag:
    """`longest_s` grows until the measuring ends."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._measuring = True
        self._last = time.thread_time()

    def turn(self) -> None:
        now = time.thread_time()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last = now
        if self._measuring:
            asyncio.get_running_loop().call_soon(self.turn)

    def end(self) -> None:
        self._measuring = False


@contextlib.contextmanager
def loop_lag() -> Iterator[LoopLag]:
    """Measure within the block. Collections of the test run's own memory are left out, as the server does."""
    gc.collect()
    gc.freeze()
    lag = LoopLag()
    asyncio.get_running_loop().call_soon(lag.turn)
    try:
        yield lag
    finally:
        lag.end()
        gc.unfreeze()
