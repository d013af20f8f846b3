"""Which of many things is to be looked at next: one heap for all of them, and no timer for any.

Pure: times are numbers of any one clock. A deadline that moves later, or is dropped, costs no search: what
stands in the heap is put right when it surfaces, and cleared away before it is more than what counts.
"""

import heapq
from dataclasses import dataclass

SLACK = 64
"""Entries without meaning that a heap may hold whatever its size."""


@dataclass(slots=True)
class _Place:
    at: float
    queued_at: float
    """Where its entry stands in the heap; never later than `at`."""


class Deadlines:
    """At most one deadline per key."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._places)

    @property
    def entries(self) -> int:
        """The heap's length; at most twice the number of deadlines, and `SLACK`."""
        return len(self._heap)

    def set(self, key: str, at: float) -> None:
        """Give `key` this deadline in place of any that it has."""
        place = self._places.get(key)
        if place is not None and place.queued_at <= at:
            place.at = at
            return
        self._places[key] = _Place(at, at)
        heapq.heappush(self._heap, (at, key))
        self._clear()

    def drop(self, key: str) -> None:
        """Forget the deadline of `key`, if it has one."""
        if self._places.pop(key, None) is not None:
            self._clear()

    def due(self, now: float) -> list[str]:
        """Take the keys whose time has come; they have no deadline any more."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            queued_at, key = self._heap[0]
            place = self._places.get(key)
            if place is None or place.queued_at != queued_at:
                heapq.heappop(self._heap)
            elif place.at > now:
                place.queued_at = place.at
                heapq.heapreplace(self._heap, (place.at, key))
            else:
                heapq.heappop(self._heap)
                del self._places[key]
                due.append(key)
        return due

    def _clear(self) -> None:
        # At least as many entries came and went since the last time, so this costs a constant for each.
        if len(self._heap) > 2 * len(self._places) + SLACK:
            for place in self._places.values():
                place.queued_at = place.at
            self._heap = [(place.at, key) for key, place in self._places.items()]
            heapq.heapify(self._heap)
