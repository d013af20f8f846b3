"""Latencies by operation: response from when it was due, service from when it was begun.

What was due before the measured time began is told with its interval, and is no part of the whole.
"""

import asyncio
from typing import Final

from loadtest.histogram import Histogram
from loadtest.notes import Batch

VALUES_A_TURN: Final = 1000
"""Entered in one turn of the loop: half a millisecond."""
MAX_OPERATIONS: Final = 32
WAY_IN: Final = frozenset({"sign_in", "bridge", "tcp", "tls", "upgrade", "arrive", "join", "leave"})
"""Measured also while the load is not: players come in before it and leave behind it."""


class Track:
    """One operation."""

    __slots__ = ("_all", "_response", "_service", "_warm_response", "_warm_service", "from_ns")

    def __init__(self, from_ns: int) -> None:
        self.from_ns = from_ns
        """What is due earlier is warm-up."""
        self._response, self._service = Histogram(), Histogram()
        self._warm_response, self._warm_service = Histogram(), Histogram()
        self._all = (self._response, self._service, self._warm_response, self._warm_service)

    def record(self, due_ns: int, begun_ns: int, done_ns: int) -> None:
        """Count one; nanoseconds of the monotonic clock."""
        if due_ns >= self.from_ns:
            self._response.record((done_ns - due_ns) // 1000)
            self._service.record((done_ns - begun_ns) // 1000)
        else:
            self._warm_response.record((done_ns - due_ns) // 1000)
            self._warm_service.record((done_ns - begun_ns) // 1000)

    def gather(self) -> None:
        """See `Histogram.gather`."""
        for each in self._all:
            each.gather()

    def settle(self, most: int) -> bool:
        """Enter about so many different values. True when nothing is left."""
        return all(each.settle(most) for each in self._all)

    def take(self) -> list[Batch]:
        """What was recorded since the last time."""
        batches = [
            Batch(self._response.take(), self._service.take()),
            Batch(self._warm_response.take(), self._warm_service.take(), warm_up=True),
        ]
        return [batch for batch in batches if batch.response]


class Timings:
    """All operations of a worker."""

    def __init__(self) -> None:
        self._from_ns = 0
        self._tracks: dict[str, Track] = {}

    def begin(self, measured_from_ns: int) -> None:
        """What is due earlier is warm-up. Before anything is recorded."""
        self._from_ns = measured_from_ns
        for operation, track in self._tracks.items():
            track.from_ns = self._from_of(operation)

    def __getitem__(self, operation: str) -> Track:
        """Made when first asked for. Raises ValueError when there are too many."""
        track = self._tracks.get(operation)
        if track is None:
            if len(self._tracks) >= MAX_OPERATIONS:
                raise ValueError(f"more than {MAX_OPERATIONS} operations")
            track = self._tracks[operation] = Track(self._from_of(operation))
        return track

    def _from_of(self, operation: str) -> int:
        return 0 if operation in WAY_IN else self._from_ns

    def gather(self) -> None:
        """To be called some times a second, so that `take` has little to do."""
        for track in self._tracks.values():
            track.gather()

    async def take(self) -> dict[str, list[Batch]]:
        """What was recorded since the last time, of each operation that was.

        In steps, between which the loop has its turn: the tester's own work must not become a latency.
        """
        found = {}
        for name, track in list(self._tracks.items()):
            while not track.settle(VALUES_A_TURN):  # noqa: ASYNC110  # it waits for nothing, it lets others go on
                await asyncio.sleep(0)
            if batches := track.take():
                found[name] = batches
                await asyncio.sleep(0)
        return found
