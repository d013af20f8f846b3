"""What game code asks of the server, and how it is told that something cannot be."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from protocol.close import CloseReason
from protocol.messages import StreamData, StreamPresenceEvent
from server.effects import Deliver, Disconnect
from server.game.facade import LiveServer
from server.runtime import Input, Match, NoSuchMatch, NotPossible, Presence, Stream
from server.runtime.api import Storage
from tests.support.live_game import LiveGame
from tests.support.players import ALICE, BOB, NEW_ID
from tests.support.world import NotedNews, empty_world

NO_STORAGE = cast(Storage, object())
PLACE = Stream(100, label="news")


class Duel(Match):
    def init(self, params: Any) -> None:
        self.dispatcher.set_label({"mode": params.get("mode", "")})

    def tick(self, inputs: Sequence[Input]) -> None: ...

    def signal(self, data: str) -> str:
        return data.upper()


@pytest.fixture
def news() -> NotedNews:
    return NotedNews()


@pytest.fixture
def game() -> LiveGame:
    return LiveGame(Duel)


@pytest.fixture
def api(game: LiveGame, news: NotedNews) -> LiveServer:
    return LiveServer(empty_world(notifier=news), game.registry, game.performed.extend, NO_STORAGE)


async def test_matches_are_made_listed_and_asked(api: LiveServer) -> None:
    by_class = await api.create_match(Duel, {"mode": "a"})
    by_name = await api.create_match("Duel")

    assert [each.match_id for each in await api.list_matches()] == [by_name, by_class]
    (found,) = await api.list_matches("+label.mode:a")
    assert (found.match_id, found.kind, found.size, found.tick_rate) == (by_class, "Duel", 0, 10)
    assert await api.signal(by_class, "hi") == "HI"


@pytest.mark.parametrize("match_id", ["", "nothing", f"{NEW_ID}.node1"])
async def test_a_match_that_is_not_there_is_told(api: LiveServer, match_id: str) -> None:
    with pytest.raises(NoSuchMatch):
        await api.signal(match_id)


async def test_what_cannot_be_is_told_in_words(api: LiveServer) -> None:
    with pytest.raises(NotPossible, match="there is no match 'Race'"):
        await api.create_match("Race")
    with pytest.raises(NotPossible, match="limit"):
        await api.list_matches(limit=0)
    with pytest.raises(NotPossible):
        await api.list_matches("label.mode:>")
    with pytest.raises(NotPossible, match="the server's own"):
        await api.notify(ALICE.user_id, "s", {}, code=0)
    with pytest.raises(NotPossible, match="the server's own"):
        await api.stream_join(Stream(5), ALICE.session_id)
    with pytest.raises(NotPossible, match="not open"):
        await api.stream_join(PLACE, NEW_ID)


async def test_a_player_is_notified(api: LiveServer, news: NotedNews) -> None:
    await api.notify(ALICE.user_id, "hello", {"a": 1}, code=3, persistent=True)

    assert news.news == [(ALICE.user_id, "hello", {"a": 1}, 3, "", True)]


async def test_a_stream_is_joined_written_read_and_left(api: LiveServer, game: LiveGame) -> None:
    await api.stream_join(PLACE, ALICE.session_id)
    await api.stream_join(PLACE, BOB.session_id, hidden=True)

    await api.stream_send(PLACE, "hi")

    assert [each.username for each in await api.stream_members(PLACE)] == ["alice"]
    assert [each.username for each in await api.stream_members(PLACE, hidden=True)] == ["alice", "bob"]
    joined, sent = game.take()
    assert isinstance(joined, Deliver)
    assert isinstance(joined.message, StreamPresenceEvent)
    assert isinstance(sent, Deliver)
    assert isinstance(sent.message, StreamData)
    await api.stream_leave(PLACE, ALICE.session_id)
    await api.stream_close(PLACE)
    assert await api.stream_members(PLACE, hidden=True) == []


async def test_a_socket_is_closed(api: LiveServer, game: LiveGame) -> None:
    assert await api.disconnect(ALICE.session_id)
    assert not await api.disconnect(NEW_ID)

    assert game.take() == [Disconnect(ALICE.session_id, CloseReason.DISCONNECTED)]


async def test_the_sockets_of_a_player_are_found(game: LiveGame) -> None:
    world = empty_world()
    world.statuses.open(ALICE, appear=False)
    api = LiveServer(world, game.registry, game.performed.extend, NO_STORAGE)

    assert await api.sessions(ALICE.user_id) == [Presence(ALICE.user_id, ALICE.session_id, "alice")]
    assert await api.sessions(BOB.user_id) == []
