"""All sockets whose peers are behind: how much waits for them together, and for how long.

Swept with the keepalive's time, which forgives stalls of our own loop. What was dropped is told once per
sweep.
"""

from collections import Counter
from enum import Enum
from typing import Protocol

import structlog

from server.sessions.backlog import Counts

log = structlog.get_logger("lockgate.sessions")


class Overflow(Enum):
    """Why a socket can take no more: its own bytes, their age, or the bytes of the whole process."""

    BYTES = "bytes"
    AGE = "age"
    TOTAL = "total"


class Behind(Protocol):
    """What is needed of an outbox whose peer is behind."""

    name: str
    since: float
    counted: int

    def relieve(self) -> int: ...
    def overflow(self, cause: Overflow) -> None: ...


class SlowReceivers:
    """`max_age_s` for the oldest unsent byte of a socket; `max_bytes` for all sockets that are behind."""

    def __init__(self, *, max_age_s: float, max_bytes: int) -> None:
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._behind: dict[Behind, None] = {}
        self.now = 0.0
        """Seconds of the keepalive's time at the last sweep."""
        self.bytes = 0
        """Unsent, of the sockets that are behind."""
        self.counts = Counts()
        self.closed: Counter[str] = Counter()
        """Sockets that were closed, by cause."""

    def __len__(self) -> int:
        return len(self._behind)

    def fell_behind(self, outbox: Behind) -> None:
        self._behind[outbox] = None

    def caught_up(self, outbox: Behind) -> None:
        if outbox in self._behind:
            del self._behind[outbox]
            self.bytes -= outbox.counted
            outbox.counted = 0

    def give_up(self, outbox: Behind, cause: Overflow) -> None:
        """The socket is about to be closed. What it still holds is gone when it is, and counts no more."""
        if outbox in self._behind:
            self.closed[cause.value] += 1
            self.caught_up(outbox)

    def count(self, outbox: Behind, unsent: int) -> None:
        """Bytes that wait for a socket. May close sockets, those first for which most waits."""
        if outbox not in self._behind:
            return
        self._account(outbox, unsent)
        if self.bytes > self._max_bytes:
            self._relieve()

    def _account(self, outbox: Behind, unsent: int) -> None:
        self.bytes += unsent - outbox.counted
        outbox.counted = unsent

    def _relieve(self) -> None:
        by_size = sorted(self._behind, key=lambda each: each.counted, reverse=True)
        for each in by_size:
            self._account(each, each.relieve())
            if self.bytes <= self._max_bytes:
                return
        for each in by_size:
            each.overflow(Overflow.TOTAL)
            if self.bytes <= self._max_bytes:
                return

    def sweep(self, now: float) -> None:
        """Close sockets that have been behind for too long, and tell what was dropped since last time."""
        self.now = now
        for outbox in [each for each in self._behind if now - each.since >= self._max_age_s]:
            outbox.overflow(Overflow.AGE)
        dropped_for = self.counts.dropped_for
        if dropped_for:
            ((most, count),) = dropped_for.most_common(1)
            log.warning(
                "messages_dropped",
                messages=dropped_for.total(),
                receivers=len(dropped_for),
                top_session_id=most,
                top_messages=count,
            )
            dropped_for.clear()
