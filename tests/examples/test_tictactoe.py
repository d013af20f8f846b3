"""Tic-tac-toe, tested as its author would: by hand, without a server."""

from typing import Any

import pytest

from examples.tictactoe import Op, TicTacToe
from server.runtime.run import Cause
from server.runtime.testing import FakePlayer, Refused, Table

Players = tuple[FakePlayer, FakePlayer]


@pytest.fixture
def table() -> Table[TicTacToe]:
    return Table(TicTacToe)


@pytest.fixture
def players(table: Table[TicTacToe]) -> Players:
    return table.join("alice"), table.join("bob")


def play(table: Table[TicTacToe], players: Players, cells: str) -> None:
    """The players take turns."""
    for number, cell in enumerate(cells):
        players[number % 2].send(Op.MOVE, {"cell": int(cell)})
        table.tick()


def state(player: FakePlayer) -> dict[str, Any]:
    return dict([each for each in player.heard if each.op_code == Op.STATE][-1].json())


def refusals(player: FakePlayer) -> list[str]:
    return [each.json()["reason"] for each in player.heard if each.op_code == Op.REFUSED]


@pytest.mark.parametrize(
    ("cells", "winner", "board"),
    [("03142", "X", "XXXOO...."), ("041286", "O", "XXO.O.O.X"), ("012435768", "nobody", "XOXXOOOXX")],
)
def test_a_line_wins_and_a_full_board_is_a_draw(
    table: Table[TicTacToe], players: Players, cells: str, winner: str, board: str
) -> None:
    play(table, players, cells)

    for player in players:
        assert (state(player)["winner"], state(player)["board"]) == (winner, board)
    assert table.over is Cause.FINISHED


def test_the_second_player_begins_the_game_and_closes_it_to_others(table: Table[TicTacToe]) -> None:
    alice = table.join("alice")
    assert alice.heard == []
    assert '"open":true' in table.label

    table.join("bob")

    assert state(alice)["marks"] == {
        alice.player.user_id: "X",
        table.players[list(table.players)[1]].player.user_id: "O",
    }
    assert '"open":false' in table.label
    with pytest.raises(Refused, match="Both seats are taken"):
        table.join("carol")


def test_nobody_plays_against_themselves(table: Table[TicTacToe]) -> None:
    table.join("alice")

    with pytest.raises(Refused, match="playing already"):
        table.join("alice")


@pytest.mark.parametrize("sent", ["{", "[]", "7", {}, {"cel": 1}])
def test_what_is_no_move_is_refused(table: Table[TicTacToe], players: Players, sent: Any) -> None:
    players[0].send(Op.MOVE, sent)
    table.tick()

    assert refusals(players[0]) == ["Send a cell"]
    assert refusals(players[1]) == []


@pytest.mark.parametrize("cell", [-1, 9, True, 1.0, "1", None, 4])
def test_a_cell_is_free_and_on_the_board(table: Table[TicTacToe], players: Players, cell: Any) -> None:
    play(table, players, "40")
    players[0].send(Op.MOVE, {"cell": cell})
    table.tick()

    assert refusals(players[0]) == ["There is no free cell"]
    assert state(players[1])["turn"] == "X"


def test_turns_are_kept(table: Table[TicTacToe], players: Players) -> None:
    players[1].send(Op.MOVE, {"cell": 0})
    players[0].send(Op.MOVE, {"cell": 1})
    players[0].send(Op.MOVE, {"cell": 2})
    table.tick()

    assert refusals(players[1]) == refusals(players[0]) == ["It is not your turn"]
    assert state(players[0])["board"] == ".X......."


def test_a_lone_player_waits(table: Table[TicTacToe]) -> None:
    alice = table.join("alice")

    alice.send(Op.MOVE, {"cell": 0})
    table.tick()

    assert refusals(alice) == ["Wait for the other player"]


def test_who_leaves_loses(table: Table[TicTacToe], players: Players) -> None:
    players[0].leave()

    assert state(players[1])["winner"] == "O"
    assert table.over is Cause.FINISHED


def test_a_table_that_nobody_sits_at_is_cleared(table: Table[TicTacToe]) -> None:
    table.join("alice").leave()

    assert table.over is Cause.FINISHED
