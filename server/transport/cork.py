"""Gathers what is written during one turn of the event loop into one write per connection.

Nothing waits for it: the flush runs before the loop polls again, and it batches just when the loop is busy.
Given a pause, what is written within it is gathered too (`socket.flush_interval_ms`).
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

TURNS_AT_ONCE = 4
"""Of those who send very much; so all of them together take some milliseconds of a turn at most."""


class Flushable(Protocol):
    """A connection with frames to write. `flush` must not raise."""

    def flush(self) -> None: ...


class Cork:
    """The connections that have something to write in this turn.

    `call_soon` calls at the end of the turn, `call_later` after the pause, if there is to be one.
    """

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        call_later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._call_soon = call_soon
        self._flush_later = call_later or call_soon
        self._dirty: list[Flushable] = []
        self._waiting: deque[Callable[[], None]] = deque()
        self._gives_turns = False

    def soon(self, callback: Callable[[], None]) -> None:
        """Call this when others have had their turn; of many that wait for one, a few at a time."""
        self._waiting.append(callback)
        if not self._gives_turns:
            self._gives_turns = True
            self._call_soon(self._give_turns)

    def add(self, connection: Flushable) -> None:
        """Have `connection` flushed at the end of this turn, or of the pause."""
        if not self._dirty:
            self._flush_later(self._flush)
        self._dirty.append(connection)

    def _give_turns(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(TURNS_AT_ONCE, len(self._waiting)))]
        self._gives_turns = bool(self._waiting)
        if self._gives_turns:
            self._call_soon(self._give_turns)
        for callback in batch:
            callback()

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()
