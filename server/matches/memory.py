"""Finds the match that takes the memory, once the process has more than it should.

What a match holds cannot be measured, only what the process grows by while the match is ticked. That costs,
so it is done only when there is reason to, and for a short time.
"""

import os
import resource
from collections.abc import Callable
from typing import Protocol

import structlog

from server.matches.scheduler import Scheduler, Ticking
from server.runtime.run import Cause

log = structlog.get_logger("lockgate.matches")

CHECK_S = 0.25
"""Between two looks at what the process has."""
WEIGH_S = 1.0
"""How long the matches are weighed; a slower tick than that is not."""
PAUSE_S = 5.0
"""Until they are weighed again: memory is given back late."""
FREE_S = 60.0
"""Between two collections of garbage, of which there may be much, before anybody is suspected."""
SUSPECT_BYTES = 4 * 1024 * 1024
"""A match that grew by less is left alone."""
MIB = 1024 * 1024


class Weighed(Ticking, Protocol):
    """A match that can be ended for its weight."""

    kind: str

    @property
    def match_id(self) -> str: ...

    def give_up(self, cause: Cause) -> None:
        """End it."""
        ...


class MemoryScales:
    """`check` it often. `resident`: the bytes of memory of the process. `free`: collects garbage.

    `is_match`: the match that is ticked, if it is one that can be ended.
    """

    def __init__(
        self,
        limit_bytes: int,
        scheduler: Scheduler,
        monotonic: Callable[[], float],
        resident: Callable[[], int],
        is_match: Callable[[Ticking], Weighed | None],
        free: Callable[[], object],
    ) -> None:
        self._limit = limit_bytes
        self._scheduler = scheduler
        self._monotonic = monotonic
        self._resident = resident
        self._is_match = is_match
        self._free = free
        self._next_free = 0.0
        self._tick = scheduler.tick
        self._next_check = 0.0
        self._weighing = False
        self._grown: dict[str, tuple[int, Weighed]] = {}
        """By match id. Of those that were ticked while weighing, so no more than there are matches."""
        self.weighings = 0

    def check(self) -> None:
        """Look whether there is too much, and judge at the end of a weighing."""
        now = self._monotonic()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_S
        if self._weighing:
            self._judge(now)
        elif self._over_limit(now):
            has = self._resident()
            log.warning("memory_over_limit", mib=has // MIB, limit_mib=self._limit // MIB)
            self._weighing = True
            self.weighings += 1
            self._scheduler.tick = self._weigh
            self._next_check = now + WEIGH_S

    def _over_limit(self, now: float) -> bool:
        over = self._resident() > self._limit
        if over and now >= self._next_free:
            self._next_free = now + FREE_S
            self._free()  # what is garbage is nobody's
            over = self._resident() > self._limit
        return over

    def _weigh(self, match: Ticking) -> bool:
        before = self._resident()
        goes_on = self._tick(match)
        grown = self._resident() - before
        weighed = self._is_match(match)
        if grown > 0 and goes_on and weighed is not None:
            so_far, _ = self._grown.get(weighed.match_id, (0, weighed))
            self._grown[weighed.match_id] = (so_far + grown, weighed)
        return goes_on

    def _judge(self, now: float) -> None:
        self._scheduler.tick = self._tick
        self._weighing = False
        grown, self._grown = self._grown, {}
        self._next_check = now + PAUSE_S
        if self._resident() <= self._limit or not grown:
            return
        most, match = max(grown.values(), key=lambda each: each[0])
        if most >= SUSPECT_BYTES:
            log.error("match_takes_memory", match_id=match.match_id, kind=match.kind, mib=most // MIB)
            match.give_up(Cause.MEMORY)


def resident_bytes() -> int:
    """What the process has in memory now; where the system does not say, the most it ever had."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as statm:
            return int(statm.read(128).split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
