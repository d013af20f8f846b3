"""A database of the revision before has no matches to go on with, and can keep some."""

from server.ids import RandomIds
from server.storage.kept_matches import MatchRow
from server.storage.store import Store
from tests.support.databases import migrated


async def test_a_database_of_the_revision_before_keeps_matches(empty_url: str) -> None:
    await migrated(empty_url, to="0004")
    await migrated(empty_url, to="0005")
    row = MatchRow("m", "node1", "Duel", 1, b"data")

    store = Store(RandomIds("test"))
    await store.open(empty_url)
    before = await store.matches.load("node1", 0)
    await store.matches.put([row], [])
    after = await store.matches.load("node1", 0)
    await store.close()

    assert (before, after) == ([], [row])
