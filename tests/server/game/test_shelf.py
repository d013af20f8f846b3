"""Snapshots of matches in the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from server.game.shelf import DatabaseShelf
from server.ids import RandomIds
from server.matches.keeper import KeptMatch, Unavailable
from server.storage.failures import Reason, StorageUnavailable
from server.storage.kept_matches import KeptMatches, MatchRow
from server.storage.store import Store
from tests.support.databases import sqlite_url

KEPT = KeptMatch("m", "Duel", 7, b"data")


async def test_a_node_finds_its_own_again(tmp_path: Path) -> None:
    store = Store(RandomIds("test"))
    await store.open(sqlite_url(tmp_path))
    mine, other = DatabaseShelf(store.matches, "node1"), DatabaseShelf(store.matches, "node2")

    await mine.put([KEPT], [])

    assert await mine.load(0) == [KEPT]
    assert await other.load(0) == []
    await store.close()


async def test_a_database_that_is_away_is_told_to_the_keeper() -> None:
    class Away:
        async def put(self, rows: Sequence[MatchRow], gone: Sequence[str]) -> None:
            raise StorageUnavailable(Reason.CLOSED)

    with pytest.raises(Unavailable):
        await DatabaseShelf(cast(KeptMatches, Away()), "node1").put([KEPT], [])
