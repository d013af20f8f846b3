"""Snapshots on their way to the database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.matches import keeper as module
from server.matches.keeper import Keeper, KeptMatch
from server.tasks import TaskOwner
from tests.support.inprocess import until
from tests.support.live_game import MemoryShelf


def snapshot(match_id: str, data: bytes = b"1") -> KeptMatch:
    return KeptMatch(match_id, "Duel", 1_800_000_000, data)


@pytest.fixture
def shelf() -> MemoryShelf:
    return MemoryShelf()


@pytest.fixture
async def keeper(shelf: MemoryShelf, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeper]:
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    tasks = TaskOwner("keeper")
    keeper = Keeper(shelf, tasks, max_bytes=10)
    yield keeper
    await keeper.close()
    await tasks.cancel_all()


async def test_the_newest_snapshot_of_each_match_is_written(keeper: Keeper, shelf: MemoryShelf) -> None:
    for data in (b"1", b"2", b"3"):
        keeper.keep(snapshot("a", data))
    keeper.keep(snapshot("b"))
    assert keeper.waiting == 2
    await until(lambda: keeper.waiting == 0 and shelf.puts == 1 and len(shelf.kept) == 2)

    assert {match_id: each.data for match_id, each in shelf.kept.items()} == {"a": b"3", "b": b"1"}


async def test_a_match_that_is_over_is_forgotten_also_if_it_is_being_written(
    keeper: Keeper, shelf: MemoryShelf
) -> None:
    keeper.keep(snapshot("a"))
    keeper.keep(snapshot("b"))
    await until(lambda: shelf.puts == 1)

    keeper.forget("a")
    await until(lambda: "b" in shelf.kept and keeper.waiting == 0)
    keeper.forget("b")
    keeper.forget("never kept")
    await until(lambda: shelf.kept == {} and keeper.waiting == 0)


async def test_what_could_not_be_written_is_tried_again_and_newer_ones_stay(
    keeper: Keeper, shelf: MemoryShelf
) -> None:
    shelf.broken = True
    keeper.keep(snapshot("a", b"old"))
    keeper.keep(snapshot("gone"))
    await until(lambda: keeper.failed > 2)
    keeper.keep(snapshot("a", b"new"))
    keeper.forget("gone")
    await until(lambda: keeper.failed > 6)

    shelf.broken = False
    await until(lambda: keeper.waiting == 0 and shelf.kept != {})

    assert {match_id: each.data for match_id, each in shelf.kept.items()} == {"a": b"new"}


async def test_one_that_is_too_large_is_not_kept(keeper: Keeper, shelf: MemoryShelf) -> None:
    assert keeper.keep(snapshot("a", b"x" * 10))
    assert not keeper.keep(snapshot("b", b"x" * 11))

    await keeper.close()

    assert (list(shelf.kept), keeper.too_large) == (["a"], 1)


async def test_closing_writes_what_waits(keeper: Keeper, shelf: MemoryShelf) -> None:
    keeper.keep(snapshot("a", b"1"))
    await asyncio.sleep(0)
    keeper.keep(snapshot("a", b"2"))

    await keeper.close()

    assert shelf.kept["a"].data == b"2"


async def test_what_was_loaded_can_be_forgotten(keeper: Keeper, shelf: MemoryShelf) -> None:
    shelf.kept["a"] = snapshot("a")

    assert await keeper.load(0) == [snapshot("a")]
    keeper.forget("a")
    await keeper.close()

    assert shelf.kept == {}


async def test_while_the_database_is_away_only_so_many_wait_to_be_forgotten(
    keeper: Keeper, shelf: MemoryShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_GONE", 2)
    shelf.kept.update((each, snapshot(each)) for each in "abcd")
    await keeper.load(0)
    shelf.broken = True

    keeper.forget("a")
    keeper.forget("b")
    await until(lambda: keeper.failed > 1 and keeper.waiting == 2)
    assert keeper.not_forgotten == 0
    keeper.forget("c")
    await until(lambda: keeper.failed > 3 and keeper.waiting == 2)
    assert keeper.not_forgotten == 1
    shelf.broken = False
    await until(lambda: len(shelf.kept) == 2)

    assert sorted(shelf.kept) == ["a", "d"]
