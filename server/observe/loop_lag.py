"""How late the event loop runs what is due: a beat that measures itself.

A stall of a beat's length or more is always seen, a shorter one by chance. Who measures across turns of the
loop asks `on_time` whether it was the loop that took the time.
"""

from collections.abc import Callable
from typing import Protocol

import structlog

from server.observe.histogram import Histogram
from server.observe.log_rate import LogRate

log = structlog.get_logger("lockgate.loop")

BEAT_S = 0.05
"""Between two beats. Shorter, and more stalls are seen; but an idle server wakes up more often: with 50 beats
a second that was as dear as a thousand idle sockets."""
TOLERANCE_S = 0.01
"""What a loop with enough to do is late by, and the precision of its timers."""

LOG_EVERY_S = 1.0
"""At most so often a lag is logged."""


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class LoopLag:
    """`start` it on the loop, `stop` it at the end. `monotonic` is seconds.

    A lag of `slow_s` and more is logged; 0: none is.
    """

    def __init__(self, monotonic: Callable[[], float], slow_s: float = 0.0) -> None:
        self._monotonic = monotonic
        self._slow_s = slow_s
        self._rate = LogRate(LOG_EVERY_S)
        self._call_later: Callable[[float, Callable[[], None]], Cancellable]
        self._timer: Cancellable | None = None
        self._due = 0.0
        self._was_on_time = True
        self.lags = Histogram()
        """Of all beats, in seconds."""
        self.beats = 0

    def start(self, call_later: Callable[[float, Callable[[], None]], Cancellable]) -> None:
        self._call_later = call_later
        self._next(self._monotonic())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def on_time(self) -> bool:
        """False: the loop is, or just was, late, so that what it reads now may have waited for it.

        A wait of up to `BEAT_S + TOLERANCE_S` can go unseen.
        """
        if self._timer is None:
            return True
        # After a stall the loop reads its sockets before it runs its timers, or after: both count.
        return self._was_on_time and self._monotonic() - self._due <= TOLERANCE_S

    def overdue(self, now: float) -> float:
        """For how many seconds a beat has been due, and the loop runs something else. For any thread."""
        return 0.0 if self._timer is None else max(0.0, now - self._due)

    def _beat(self) -> None:
        now = self._monotonic()
        self.beats += 1
        late = max(0.0, now - self._due)
        self._was_on_time = late <= TOLERANCE_S
        self.lags.observe(late)
        if 0 < self._slow_s <= late and (untold := self._rate.untold(now)) is not None:
            log.warning("loop_late", late_ms=round(late * 1000), untold=untold)
        self._next(now)

    def _next(self, now: float) -> None:
        self._due = now + BEAT_S
        self._timer = self._call_later(BEAT_S, self._beat)
