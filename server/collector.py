"""When the memory of objects that hold each other is freed: the long collections between ticks, not in them.

The interpreter would run a full collection in the middle of whatever makes the next object. Here they are run
from the loop, at a time when no tick is due; and late if need be, but not never.
"""

import gc
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from server.clock import Clock
from server.observe.histogram import Histogram

CHECK_S = 0.5
"""Between two looks whether a full collection is needed."""
RETRY_S = 0.005
"""Between two looks for a moment in which no tick is due."""
NEEDED = 10
"""Smaller collections since the last full one that make another worth its time, as in the interpreter."""
SHARE = 50
"""Full collections are so many times their own length apart: they take 2 % of the time, at most."""
URGENT_S = 10.0
"""How long a full collection that is needed may wait for its moment."""
URGENT = 100
"""Smaller collections after which it waits no longer: each may leave some thousand objects behind."""
NEVER = 1_000_000_000


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Collector:
    """`start` it when everything there is to stay is there, `stop` it at the end.

    `next_due`: when, in monotonic seconds, work begins that must not be late; None: there is none.
    """

    def __init__(self, clock: Clock, next_due: Callable[[], float | None]) -> None:
        self._monotonic = clock.monotonic
        self._next_due = next_due
        self._call_later: Callable[[float, Callable[[], None]], Cancellable]
        self._timer: Cancellable | None = None
        self._began = 0.0
        self._wanted_since: float | None = None
        self._before = (0, 0, 0)
        self._last_s = 0.0
        """What the last full collection took."""
        self.pauses = Histogram()
        """Of all collections, in seconds."""
        self.full = 0
        self.forced = 0
        """Full collections, and those of them that found no moment of their own."""

    def start(self, call_later: Callable[[float, Callable[[], None]], Cancellable]) -> None:
        """What exists now stays for good: full collections need not walk it again."""
        self._call_later = call_later
        gc.callbacks.append(self._measured)
        # What a start leaves behind is a hundredth of what it makes: not worth a tenth of a second in which
        # a server that has just become ready answers nobody.
        gc.freeze()
        gc.enable()  # a start may have gone without
        self._before = gc.get_threshold()
        gc.set_threshold(self._before[0], self._before[1], NEVER)
        self._timer = call_later(CHECK_S, self._check)

    def stop(self) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        gc.set_threshold(*self._before)
        gc.unfreeze()
        gc.callbacks.remove(self._measured)

    def _check(self) -> None:
        waiting = gc.get_count()[2]
        if waiting < NEEDED:
            self._timer = self._call_later(CHECK_S, self._check)
            return
        now = self._monotonic()
        if self._wanted_since is None:
            self._wanted_since = now
        urgent = waiting >= URGENT or now - self._wanted_since >= URGENT_S
        due = self._next_due()
        if due is None or urgent or due - now > self._last_s:
            self.full += 1
            self.forced += due is not None and due - now <= self._last_s
            self._wanted_since = None
            gc.collect()
            self._timer = self._call_later(max(CHECK_S, self._last_s * SHARE), self._check)
        else:
            self._timer = self._call_later(RETRY_S, self._check)

    def _measured(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase == "start":
            self._began = self._monotonic()
            return
        took = self._monotonic() - self._began
        self.pauses.observe(took)
        if info["generation"] == 2:
            self._last_s = took
