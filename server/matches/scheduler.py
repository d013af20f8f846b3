"""Ticks of all matches, from one timer: the match whose tick is due longest goes first.

Between ticks the loop gets its turn, so that sockets are served however many matches there are. What a tick
does, and whether a match goes on, is the match's business (`Ticking`).
"""

import heapq
from collections.abc import Callable
from math import ceil
from typing import Protocol

from server.matches.pace import Pace
from server.observe.histogram import Histogram

SLICE_S = 0.005
"""How long ticks may be run in a row before the loop gets a turn."""
EARLY_S = 0.001
"""A tick may begin so much too early: the loop's timers count in milliseconds, and to wake up once more for
the rest of one costs more than most ticks."""
TOGETHER = 32
GRID_S = 0.0025
"""With more than so many matches, ticks wait for the next line of a grid, to be run together: a turn of the
loop costs more than most ticks, and what they say to one player leaves in one write."""
GOLDEN = (5**0.5 - 1) / 2


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Ticking(Protocol):
    """A match as the scheduler knows it."""

    @property
    def pace(self) -> Pace: ...

    def tick(self) -> bool:
        """Run one tick. False: the match is over. Raises nothing."""
        ...


_Turn = tuple[float, int, Ticking]
"""When it is due, a number that no other has, and whose it is. A tuple, since a heap compares a lot."""


class Scheduler:
    """Runs the ticks of the matches it was given, each until it is over.

    `monotonic`: the clock that paces count by. `call_later`: the loop's.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Cancellable],
    ) -> None:
        self._monotonic = monotonic
        self._call_later = call_later
        self._turns: list[_Turn] = []
        self._numbers = 0
        self._begun = 0
        self._timer: Cancellable | None = None
        self._wakes_at = 0.0
        self.lateness = Histogram()
        self.duration = Histogram()
        """Of every tick, in seconds: how late it began, and how long it took."""
        self.tick: Callable[[Ticking], bool] = lambda match: match.tick()
        """How a match is ticked; may be replaced by what watches it meanwhile."""

    def __len__(self) -> int:
        return len(self._turns)

    def first_due(self, tick_rate: int) -> float:
        """When a new match should tick first: a step from now, or a part of one later.

        Matches of one rate are spread evenly over the step, however many begin at the same moment.
        """
        self._begun += 1
        step = 1 / tick_rate
        phase = self._begun * GOLDEN % 1 * step
        earliest = self._monotonic() + step
        return _on_grid(phase + ceil((earliest - phase) / step) * step)

    def add(self, match: Ticking) -> None:
        """Tick a match from its first deadline on."""
        self._push(match)
        self._arm()

    def remove(self, match: Ticking) -> None:
        """Tick it no more. No error if it is not there."""
        self._turns = [turn for turn in self._turns if turn[2] is not match]
        heapq.heapify(self._turns)

    @property
    def next_due(self) -> float | None:
        """When the next tick should begin; None: there is no match."""
        return self._turns[0][0] if self._turns else None

    def close(self) -> None:
        """Forget all matches."""
        self._turns.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _push(self, match: Ticking) -> None:
        self._numbers += 1
        heapq.heappush(self._turns, (match.pace.due, self._numbers, match))

    def _arm(self) -> None:
        if not self._turns:
            return
        due = self._turns[0][0]
        if len(self._turns) > TOGETHER:
            due = _on_grid(due)
        if self._timer is not None:
            if self._wakes_at <= due:
                return
            self._timer.cancel()
        self._wakes_at = due
        self._timer = self._call_later(max(0.0, due - self._monotonic()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self._monotonic()
        until = now + SLICE_S
        while self._turns and self._turns[0][0] <= now + EARLY_S and now < until:
            match = heapq.heappop(self._turns)[2]
            goes_on = self.tick(match)
            ended = self._monotonic()
            self.duration.observe(ended - now)
            self.lateness.observe(match.pace.ticked(now, ended))
            if goes_on:
                self._push(match)
            now = ended
        self._arm()


def _on_grid(moment: float) -> float:
    return ceil(moment / GRID_S) * GRID_S
