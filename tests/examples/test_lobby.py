"""The lobby, from the matchmaker's find to the game."""

from collections.abc import Mapping
from typing import Any

import pytest

from examples.lobby import COUNTDOWN_S, WAIT_S, Lobby, Op, meet, teams
from examples.tictactoe import TicTacToe
from server.runtime.api import serving
from server.runtime.fake_server import FakeServer
from server.runtime.messages import MatchmakerUser, UserPresence
from server.runtime.testing import FakePlayer, Refused, Table, user_id_of


def found(name: str, party: str = "", **properties: str) -> MatchmakerUser:
    presence = UserPresence(user_id=user_id_of(name), session_id=name, username=name)
    return MatchmakerUser(presence=presence, party_id=party, string_properties=properties)


def lobby(*names: str) -> tuple[Table[Lobby], list[FakePlayer]]:
    seats = {user_id_of(name): number % 2 for number, name in enumerate(names)}
    table = Table(Lobby, {"teams": seats, "game": "TicTacToe"})
    return table, [table.join(name) for name in names]


def ready(player: FakePlayer, answer: Any = True) -> None:
    player.send(Op.READY, {"ready": answer})


def last(player: FakePlayer, op: Op) -> Mapping[str, Any]:
    return dict([each.json() for each in player.heard if each.op_code == op][-1])


def ticks(seconds: float) -> int:
    return int(seconds * Lobby.tick_rate) + 1


async def test_from_the_matchmaker_to_the_game() -> None:
    fake = FakeServer(Lobby, TicTacToe)
    with serving(fake):
        table = fake.tables[await meet([found("alice"), found("bob")])]
    alice, bob = table.join("alice"), table.join("bob")

    ready(alice)
    ready(bob)
    table.tick()
    assert last(alice, Op.STATE)["starts_in_s"] == COUNTDOWN_S
    table.tick(ticks(COUNTDOWN_S))
    await fake.run_spawned()

    game = fake.tables[last(bob, Op.GAME)["match_id"]]
    assert isinstance(game.match, TicTacToe)
    assert table.over == "finished"


async def test_players_choose_the_game_by_a_property() -> None:
    fake = FakeServer(Lobby)
    with serving(fake):
        match_id = await meet([found("alice"), found("bob", game="Arena")])

    assert fake.tables[match_id].label == '{"kind":"lobby","game":"Arena"}'


def test_a_party_plays_in_one_team() -> None:
    users = [found("a"), found("b", "party"), found("c"), found("d", "party")]

    seated = teams(users)

    assert seated[user_id_of("b")] == seated[user_id_of("d")]
    assert seated[user_id_of("a")] == seated[user_id_of("c")] != seated[user_id_of("b")]


def test_nobody_else_gets_in_and_nobody_twice() -> None:
    table, _ = lobby("alice", "bob")

    with pytest.raises(Refused, match="not matched"):
        table.join("mallory")
    with pytest.raises(Refused, match="already"):
        table.join("alice")


def test_who_is_not_ready_after_all_stops_the_countdown() -> None:
    table, (alice, bob) = lobby("alice", "bob")
    ready(alice)
    ready(bob)
    table.tick()

    ready(bob, False)
    table.tick(ticks(COUNTDOWN_S))

    assert table.spawned == []
    assert "starts_in_s" not in last(alice, Op.STATE)


@pytest.mark.parametrize("data", [b"", b"[]", b"7", {"ready": 1}, {"ready": "yes"}, {}])
def test_nonsense_makes_nobody_ready(data: Any) -> None:
    table, (alice, bob) = lobby("alice", "bob")
    ready(alice)
    bob.send(Op.READY, data)
    bob.send(99, {"ready": True})

    table.tick(ticks(COUNTDOWN_S))

    assert table.spawned == []
    assert table.over is None


def test_who_is_not_ready_in_time_is_put_out_and_the_others_are_told() -> None:
    table, (alice, bob) = lobby("alice", "bob")
    ready(alice)

    table.tick(ticks(WAIT_S))

    assert last(alice, Op.CANCELLED) == {"reason": "Not everybody was ready in time"}
    assert not bob.present
    assert Op.CANCELLED not in {each.op_code for each in bob.heard}
    assert table.over == "finished"


def test_who_leaves_cancels_and_who_drops_may_come_back() -> None:
    table, (alice, bob) = lobby("alice", "bob")
    bob.drop()
    table.tick(ticks(10))
    bob = table.join("bob")
    assert table.over is None
    assert len(last(bob, Op.STATE)["players"]) == 2

    bob.leave()

    assert last(alice, Op.CANCELLED) == {"reason": "bob has left"}
