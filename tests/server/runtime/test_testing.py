"""The kit that game code is tested with, on a small game: whoever first says the number wins."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from server.runtime import Input, Match, Player
from server.runtime.run import Cause, Limits
from server.runtime.testing import Refused, Table

GUESS, WRONG, WON = 1, 2, 3


class Guess(Match):
    tick_rate = 2

    def init(self, params: Mapping[str, Any]) -> None:
        self.number = self.context.random.randint(1, params["most"])
        self.dispatcher.set_label({"most": params["most"]})

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        return (
            "already here" if player.username in {each.username for each in self.players.values()} else True
        )

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            if each.json() == self.number:
                self.dispatcher.broadcast(WON, {"by": each.player.username, "after": self.context.elapsed})
                self.dispatcher.end()
            else:
                self.dispatcher.broadcast(WRONG, each.data, skip=[each.player], sender=each.player)

    def signal(self, data: str) -> str:
        return str(self.number)


def test_a_game_is_played_by_hand() -> None:
    table = Table(Guess, {"most": 3})
    alice, bob = table.join("alice"), table.join("bob")
    number = int(table.signal(""))

    alice.send(GUESS, number + 1)
    table.tick()
    bob.send(GUESS, number)
    table.tick(9)

    assert [each.op_code for each in alice.heard] == [WON]
    assert bob.heard[0].sender == alice.player
    assert bob.heard[-1].json() == {"by": "bob", "after": 0.5}
    assert (table.over, table.label) == (Cause.FINISHED, '{"most":3}')


def test_a_seed_is_another_game() -> None:
    numbers = {seed: Table(Guess, {"most": 10**6}, seed=seed).match.number for seed in (1, 2)}

    assert numbers[1] == Table(Guess, {"most": 10**6}, seed=1).match.number
    assert len(set(numbers.values())) == 2


def test_who_is_refused_is_told_why() -> None:
    table = Table(Guess, {"most": 3})
    table.join("alice")

    with pytest.raises(Refused, match="already here"):
        table.join("alice")


def test_who_left_is_not_heard_and_hears_nothing() -> None:
    table = Table(Guess, {"most": 3})
    alice, bob = table.join("alice"), table.join("bob")

    alice.leave()

    assert not alice.present
    assert bob.present
    assert not alice.send(GUESS, 1)
    bob.send(GUESS, 0)
    table.tick()
    assert alice.heard == []


def test_more_than_the_match_takes_in_is_dropped_as_on_a_server() -> None:
    table = Table(Guess, {"most": 3}, limits=Limits(inputs=1))
    alice = table.join("alice")

    assert [alice.send(GUESS, 0), alice.send(GUESS, 0)] == [True, False]


def test_a_bug_of_the_game_fails_its_test() -> None:
    table = Table(Guess, {"most": 3})
    alice = table.join("alice")

    alice.send(GUESS, "{")
    with pytest.raises(ValueError, match="not JSON"):
        table.tick()


def test_what_was_heard_can_be_taken_once() -> None:
    table = Table(Guess, {"most": 3})
    alice, bob = table.join("alice"), table.join("bob")
    bob.send(GUESS, 0)
    table.tick()

    assert [each.json() for each in alice.take()] == [0]
    assert alice.take() == []
