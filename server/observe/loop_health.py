"""What is known of the event loop itself: how late it is, and what holds it up."""

import asyncio
from collections.abc import Callable

from server.observe.loop_lag import LoopLag
from server.observe.slow_callbacks import SlowCallbacks


class LoopHealth:
    """`start` it on the loop, `stop` it at the end. Stalls of `slow_s` and more are logged; 0: none is."""

    def __init__(self, monotonic: Callable[[], float], slow_s: float) -> None:
        self.lag = LoopLag(monotonic, slow_s)
        self.slow = SlowCallbacks(self.lag, slow_s)
        self.onlooker = self.slow if slow_s > 0 else None
        """Looks at the stack while the loop stands still, if anybody is to be told."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.lag.start(loop.call_later)
        self.slow.start(loop)

    def stop(self) -> None:
        self.lag.stop()
