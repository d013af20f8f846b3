"""The place for snapshots of matches is the database: between `matches`, which knows none, and `storage`."""

from collections.abc import Sequence

from server.matches.keeper import KeptMatch, Unavailable
from server.storage.failures import StorageUnavailable
from server.storage.kept_matches import KeptMatches, MatchRow


class DatabaseShelf:
    """Implements the keeper's port `Shelf` for the matches of one node."""

    def __init__(self, rows: KeptMatches, node: str) -> None:
        self._rows = rows
        self._node = node

    async def put(self, kept: Sequence[KeptMatch], gone: Sequence[str]) -> None:
        rows = [MatchRow(each.match_id, self._node, each.kind, each.taken_at, each.data) for each in kept]
        try:
            await self._rows.put(rows, gone)
        except StorageUnavailable as error:
            raise Unavailable from error

    async def load(self, newer_than: int) -> Sequence[KeptMatch]:
        rows = await self._rows.load(self._node, newer_than)
        return [KeptMatch(row.match_id, row.kind, row.taken_at, row.data) for row in rows]
