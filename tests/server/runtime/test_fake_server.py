"""A server for tests of remote calls and hooks behaves as the real one does."""

from collections.abc import Sequence
from typing import Any

import pytest

from server.runtime import (
    ONLY_NEW,
    Input,
    Match,
    NoSuchMatch,
    NotPossible,
    ObjectId,
    ObjectsRefused,
    Stream,
    VersionConflict,
    server,
)
from server.runtime.api import GameServer, serving
from server.runtime.fake_server import FakeServer, Told


class Duel(Match):
    def init(self, params: Any) -> None:
        self.heard = ""
        self.dispatcher.set_label(params.get("label", ""))

    def tick(self, inputs: Sequence[Input]) -> None:
        self.dispatcher.spawn(answer, self.context.match_id)

    def signal(self, data: str) -> str:
        self.heard = data
        return data.upper()


async def answer(match_id: str) -> None:
    await server.signal(match_id, "from outside")


@pytest.fixture
def fake() -> FakeServer:
    return FakeServer(Duel)


async def test_it_is_a_game_server(fake: FakeServer) -> None:
    asked: GameServer = fake

    with serving(asked):
        match_id = await server.create_match("Duel", {"label": "a"})

    assert await asked.signal(match_id, "hi") == "HI"
    assert [each.match_id for each in await asked.list_matches(label="a", min_size=0, max_size=0)] == [
        match_id
    ]
    assert await asked.list_matches(label="b") == []
    assert await asked.list_matches(min_size=1) == []


async def test_what_cannot_be_is_told_as_by_the_real_one(fake: FakeServer) -> None:
    with pytest.raises(NotPossible):
        await fake.create_match("Race")
    with pytest.raises(NoSuchMatch):
        await fake.signal("nothing")
    with pytest.raises(NotPossible):
        await fake.list_matches("+label.a:b")


async def test_what_a_match_starts_is_run_when_asked_for(fake: FakeServer) -> None:
    table = fake.tables[await fake.create_match(Duel)]
    table.tick(2)

    await fake.run_spawned()

    assert isinstance(table.match, Duel)
    assert (table.match.heard, table.spawned) == ("from outside", [])


async def test_what_is_said_to_players_is_remembered(fake: FakeServer) -> None:
    news = Stream(100)

    await fake.notify("alice", "hello", {"a": 1}, code=3)
    await fake.stream_join(news, "s1")
    await fake.stream_join(news, "s2", hidden=True)
    await fake.stream_send(news, "hi")
    await fake.disconnect("s1")

    assert fake.told == [Told("alice", "hello", {"a": 1}, 3, False)]
    assert [each.session_id for each in await fake.stream_members(news)] == ["s1"]
    assert len(await fake.stream_members(news, hidden=True)) == 2
    assert (fake.sent, fake.disconnected) == ([(news, "hi")], ["s1"])
    await fake.stream_leave(news, "s1")
    await fake.stream_close(news)
    assert await fake.stream_members(news, hidden=True) == []


async def test_objects_have_versions(fake: FakeServer) -> None:
    storage = fake.storage
    version = await storage.put("saves", "b", {"level": 1}, "alice", version=ONLY_NEW)
    await storage.put("saves", "a", {"level": 2})

    with pytest.raises(VersionConflict):
        await storage.put("saves", "b", {}, "alice", version=ONLY_NEW)
    with pytest.raises(ObjectsRefused):
        await storage.put("saves", "c", {"x": object()})
    assert await storage.put("saves", "b", {"level": 3}, "alice", version=version) != version
    with pytest.raises(VersionConflict):
        await storage.delete("saves", "b", "alice", version=version)
    found = await storage.get("saves", "b", "alice")
    assert found is not None
    assert found.value == {"level": 3}
    first, cursor = await storage.list("saves", limit=1)
    rest, end = await storage.list("saves", limit=1, cursor=cursor)
    assert [each.key for each in [*first, *rest]] == ["a", "b"]
    assert end == ""
    assert len(await storage.read([ObjectId("saves", "a"), ObjectId("saves", "z")])) == 1
    await storage.delete("saves", "b", "alice")
    assert await storage.get("saves", "b", "alice") is None
