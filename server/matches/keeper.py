"""Keeps what running matches need to go on after a restart: the latest snapshot of each, written behind them.

A match's newer snapshot takes the place of one that is not written yet, so a slow database makes snapshots
older, never a queue longer. Matches that are over are forgotten.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from server.tasks import TaskOwner

log = structlog.get_logger("lockgate.matches")

RETRY_S = 1.0
MAX_GONE = 100_000
"""Matches to forget that wait for a database that is away. Of more the oldest stay on the shelf, where they
grow too old to be taken up again."""


@dataclass(frozen=True, slots=True)
class KeptMatch:
    """`taken_at`: Unix seconds."""

    match_id: str
    kind: str
    taken_at: int
    data: bytes


class Unavailable(Exception):
    """Nothing can be written now."""


class Shelf(Protocol):
    """Port: where snapshots are."""

    async def put(self, kept: Sequence[KeptMatch], gone: Sequence[str]) -> None:
        """Write snapshots over those of the same matches, and forget matches. Raises Unavailable."""
        ...

    async def load(self, newer_than: int) -> Sequence[KeptMatch]:
        """The snapshots of this server; forgets those taken before `newer_than`."""
        ...


class Keeper:
    """The snapshots of one server's matches. `max_bytes` for each; a larger one is not kept."""

    def __init__(self, shelf: Shelf, tasks: TaskOwner, *, max_bytes: int) -> None:
        self._shelf = shelf
        self._tasks = tasks
        self._max_bytes = max_bytes
        self._kept: dict[str, KeptMatch] = {}
        self._gone: dict[str, None] = {}
        self._on_shelf: set[str] = set()
        self._writing: asyncio.Task[None] | None = None
        self.written = 0
        self.failed = 0
        """Writes that the database did not take; they are tried again."""
        self.too_large = 0
        self.not_forgotten = 0
        """Matches that are over and stay on the shelf, because too many waited to be forgotten."""

    @property
    def waiting(self) -> int:
        """Snapshots, and matches to forget, that are not written yet."""
        return len(self._kept) + len(self._gone)

    def keep(self, kept: KeptMatch) -> bool:
        """Write a snapshot behind the match's back. False for one that is too large."""
        if len(kept.data) > self._max_bytes:
            self.too_large += 1
            return False
        self._kept[kept.match_id] = kept
        self._write_behind()
        return True

    def forget(self, match_id: str) -> None:
        """The match is over."""
        waited = self._kept.pop(match_id, None) is not None
        if waited or match_id in self._on_shelf:
            self._gone[match_id] = None
            self._bound_gone()
            self._write_behind()

    async def load(self, newer_than: int) -> Sequence[KeptMatch]:
        """What there is to go on from."""
        found = await self._shelf.load(newer_than)
        self._on_shelf.update(each.match_id for each in found)
        return found

    async def close(self) -> None:
        """Write what waits; what cannot be written now is given up."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        if self.waiting:
            await self._write()

    def _bound_gone(self) -> None:
        while len(self._gone) > MAX_GONE:
            oldest = next(iter(self._gone))
            del self._gone[oldest]
            self._on_shelf.discard(oldest)
            self.not_forgotten += 1

    def _write_behind(self) -> None:
        if self._writing is None:
            self._writing = self._tasks.spawn("keep", self._write_all())

    async def _write_all(self) -> None:
        try:
            while self.waiting:
                if not await self._write():
                    await asyncio.sleep(RETRY_S)
        finally:
            self._writing = None

    async def _write(self) -> bool:
        kept, self._kept = self._kept, {}
        gone, self._gone = self._gone, {}
        # From now on, for what ends while it is being written must be forgotten too.
        self._on_shelf.update(kept)
        try:
            await self._shelf.put(tuple(kept.values()), tuple(gone))
        except BaseException as error:
            # Whatever is newer stays as it is.
            self._kept = {**_without(kept, self._gone), **self._kept}
            self._gone = {**{each: None for each in gone if each not in self._kept}, **self._gone}
            self._bound_gone()
            if not isinstance(error, Unavailable):
                raise
            self.failed += 1
            return False
        self.written += len(kept)
        self._on_shelf.difference_update(gone)
        return True


def _without(kept: Mapping[str, KeptMatch], gone: Mapping[str, None]) -> dict[str, KeptMatch]:
    return {match_id: each for match_id, each in kept.items() if match_id not in gone}
