"""Gathers what is written during one turn of the event loop into one write per connection.

Nothing waits for it: the flush runs before the loop polls again, and it batches just when the loop is busy.
"""

from collections.abc import Callable
from typing import Protocol


class Flushable(Protocol):
    """A connection with frames to write. `flush` must not raise."""

    def flush(self) -> None: ...


class Cork:
    """The connections that have something to write in this turn."""

    def __init__(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        self._call_soon = call_soon
        self._dirty: list[Flushable] = []

    def soon(self, callback: Callable[[], None]) -> None:
        """Call this when others have had their turn."""
        self._call_soon(callback)

    def add(self, connection: Flushable) -> None:
        """Have `connection` flushed at the end of this turn; at most once per turn and connection."""
        if not self._dirty:
            self._call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()
