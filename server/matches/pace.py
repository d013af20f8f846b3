"""When a match's next tick is due: fixed steps, absolute deadlines, and what happens when they are missed.

Pure. A match that is a little late makes up for it, a few ticks at most. One whose ticks take too long is
slowed down, so that it never has more than its share of the loop, and is given up when that goes on.
"""

from dataclasses import dataclass

MAX_SHARE = 0.5
"""Of the loop's time one match may have this much, whatever it would need."""


@dataclass(frozen=True, slots=True)
class Patience:
    """`catch_up`: missed ticks that are made up for, at most. `overload_s`: how long one may be too slow."""

    catch_up: int = 3
    overload_s: float = 10.0


class Pace:
    """One match's deadlines, in seconds of a monotonic clock."""

    def __init__(self, tick_rate: int, first_due: float, patience: Patience) -> None:
        self._step = 1 / tick_rate
        self._start = first_due
        self._number = 0
        """Of the tick that is due next, counted from `_start`."""
        self._not_before = first_due
        self._patience = patience
        self._slow_since: float | None = None
        self.lost = 0
        """Ticks that were missed and not made up for."""

    @property
    def due(self) -> float:
        """When the next tick should begin."""
        return max(self._start + self._number * self._step, self._not_before)

    @property
    def slow(self) -> bool:
        """Whether the match runs slower than it asked for."""
        return self._slow_since is not None

    def ticked(self, began: float, ended: float) -> float:
        """A tick was run. Returns how late it began, in seconds."""
        lateness = max(0.0, began - self.due)
        self._number += 1
        spent = ended - began
        # Its share, over the time from this tick to the next.
        self._not_before = began + spent / MAX_SHARE
        missed = int((max(ended, self._not_before) - self._start) / self._step) - self._number
        if missed > self._patience.catch_up:
            self.lost += missed - self._patience.catch_up
            self._number += missed - self._patience.catch_up
        self._judge(spent, ended)
        return lateness

    def hopeless(self, now: float) -> bool:
        """Whether the match has been too slow for too long."""
        return self._slow_since is not None and now - self._slow_since >= self._patience.overload_s

    def _judge(self, spent: float, now: float) -> None:
        if spent <= self._step * MAX_SHARE:
            self._slow_since = None
        elif self._slow_since is None:
            self._slow_since = now
