"""How a worker itself fares: how late its loop and its acts are, its use of the processor, its collector.

What is found here decides whether a run counts, so a stall is not let off with one record: beats that should
have come while the loop was held up count as late too. Whether that is too much, `honesty.py` says.
"""

import gc
import time
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from loadtest.histogram import Histogram

BEAT_S: Final = 0.01
TIMER_S: Final = 0.001
"""What a loop's timers are exact to: a beat that comes so much early has come."""
LONGEST_S: Final = 60.0
"""Of a longer stall only this much is told beat by beat."""
US: Final = 1_000_000


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker's `Sample` says of itself, since the last one."""

    lag: str
    slip: str
    cpu_s: float
    gc_max_ms: float


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class OwnUseWatch:
    """Call `start` on the loop, `take` about once a second, `stop` in the end.

    Whoever acts by a schedule records into `slip` how late it began, in microseconds: only what the worker
    itself was late by, never the wait for an answer of the server.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        process_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._monotonic = monotonic
        self._process_time = process_time
        self._call_later: Callable[[float, Callable[[], None]], Cancellable] | None = None
        self._timer: Cancellable | None = None
        self._due = 0.0
        self._cpu_s = 0.0
        self._collecting_since: float | None = None
        self._gc_max_s = 0.0
        self._lag = Histogram()
        self.slip = Histogram()

    def start(self, call_later: Callable[[float, Callable[[], None]], Cancellable]) -> None:
        """`call_later` is the running loop's."""
        self._call_later = call_later
        self._cpu_s = self._process_time()
        self._due = self._monotonic() + BEAT_S
        self._timer = call_later(BEAT_S, self._beat)
        gc.callbacks.append(self._on_collector)

    def gather(self) -> None:
        """To be called some times a second, so that `take` has little to do."""
        self._lag.gather()
        self.slip.gather()

    def take(self) -> Taken:
        """All since the last time; begins anew."""
        self._count_beats(self._monotonic())
        before, self._cpu_s = self._cpu_s, self._process_time()
        pause, self._gc_max_s = self._gc_max_s, 0.0
        return Taken(
            lag=self._lag.take(),
            slip=self.slip.take(),
            cpu_s=self._cpu_s - before,
            gc_max_ms=pause * 1000,
        )

    def stop(self) -> None:
        """Neither the loop nor the collector is watched any longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._on_collector)

    def _beat(self) -> None:
        assert self._call_later is not None, "only `start` sets the first beat"
        now = self._monotonic()
        self._count_beats(now)
        self._timer = self._call_later(self._due - now, self._beat)

    def _count_beats(self, now: float) -> None:
        """Record each beat that was due up to now."""
        if self._timer is None:
            return
        if now - self._due > LONGEST_S:
            self._lag.record(round((now - self._due) * US))
            self._due = now - LONGEST_S
        while self._due <= now + TIMER_S:
            self._lag.record(round((now - self._due) * US))
            self._due += BEAT_S

    def _on_collector(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting_since = self._monotonic()
        elif self._collecting_since is not None:
            pause = self._monotonic() - self._collecting_since
            self._collecting_since = None
            self._gc_max_s = max(self._gc_max_s, pause)
