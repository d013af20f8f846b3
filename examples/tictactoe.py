"""Tic-tac-toe: two players, turns, and a server that believes neither of them.

A player sends MOVE with {"cell": 0..8}. Everybody is sent STATE after each change; who tries what the rules
do not allow is sent REFUSED with the reason, alone.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from server.runtime import Input, Match, Player

LINES = ("012", "345", "678", "036", "147", "258", "048", "246")


class Op(IntEnum):
    """What messages are about."""

    MOVE = 1
    STATE = 2
    REFUSED = 3


class TicTacToe(Match):
    """One game. Whoever leaves loses."""

    tick_rate = 5

    def init(self, params: Mapping[str, Any]) -> None:
        self.board = ["."] * 9
        self.marks: dict[str, str] = {}  # user id -> X or O
        self.turn = "X"
        self.winner = ""
        self.dispatcher.set_label({"game": "tictactoe", "open": True})

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        if player.user_id in self.marks:
            return "You are playing already"
        return len(self.marks) < 2 or "Both seats are taken"

    def join(self, players: Sequence[Player]) -> None:
        for player in players:
            self.marks[player.user_id] = "XO"[len(self.marks)]
        if len(self.marks) == 2:
            self.dispatcher.set_label({"game": "tictactoe", "open": False})
            self.show()

    def leave(self, players: Sequence[Player]) -> None:
        if self.players:  # somebody is left, and has won
            self.win(next(self.marks[each.user_id] for each in self.players.values()))
        else:
            self.dispatcher.end()

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            reason = self.move(each)
            if reason:
                self.dispatcher.broadcast(Op.REFUSED, {"reason": reason}, to=[each.player])

    def move(self, sent: Input) -> str:
        """Make a move. Returns why it cannot be made, if so."""
        try:
            cell = sent.json()["cell"]
        except (ValueError, TypeError, KeyError):
            return "Send a cell"
        mark = self.marks[sent.player.user_id]
        if len(self.marks) < 2:
            return "Wait for the other player"
        if mark != self.turn:
            return "It is not your turn"
        if type(cell) is not int or not 0 <= cell < 9 or self.board[cell] != ".":
            return "There is no free cell"
        self.board[cell] = mark
        self.turn = "O" if mark == "X" else "X"
        if any(all(self.board[int(each)] == mark for each in line) for line in LINES):
            self.win(mark)
        elif "." not in self.board:
            self.win("nobody")
        else:
            self.show()
        return ""

    def win(self, mark: str) -> None:
        self.winner = mark
        self.show()
        self.dispatcher.end()

    def show(self) -> None:
        state = {"board": "".join(self.board), "turn": self.turn, "winner": self.winner, "marks": self.marks}
        self.dispatcher.broadcast(Op.STATE, state)
