"""The latest snapshot of each match."""

from collections.abc import AsyncIterator

import pytest

from server.ids import RandomIds
from server.storage.kept_matches import MatchRow
from server.storage.store import Store

NOW = 1_800_000_000


def row(match_id: str, data: bytes = b"\x00\xff", *, node: str = "node1", taken_at: int = NOW) -> MatchRow:
    return MatchRow(match_id, node, "Duel", taken_at, data)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(RandomIds("test"))
    await store.open(database_url)
    yield store
    await store.close()


async def test_a_newer_snapshot_takes_the_place_of_the_older(store: Store) -> None:
    await store.matches.put([row("a", b"1"), row("b")], [])
    await store.matches.put([row("a", b"2")], [])

    assert await store.matches.load("node1", 0) == [row("a", b"2"), row("b")]


async def test_a_match_is_forgotten(store: Store) -> None:
    await store.matches.put([row("a"), row("b")], [])

    await store.matches.put([], ["a", "unknown"])
    await store.matches.put([], [])

    assert await store.matches.load("node1", 0) == [row("b")]


async def test_each_node_has_its_own_and_old_ones_are_forgotten(store: Store) -> None:
    await store.matches.put([row("a"), row("b", node="node2"), row("old", taken_at=NOW - 1)], [])

    assert await store.matches.load("node1", NOW) == [row("a")]
    assert await store.matches.load("node1", 0) == [row("a")]
    assert await store.matches.load("node2", 0) == [row("b", node="node2")]
