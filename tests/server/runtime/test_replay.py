"""A recorded match runs again the same, and what differs is found where it happened."""

from collections.abc import Sequence

from server.runtime.journal import Header
from server.runtime.match import Match
from server.runtime.players import Input
from server.runtime.replay import Difference, fresh, replay
from server.runtime.run import Limits
from tests.server.runtime.recorded import Dice, played

HEADER = Header("1", "m.n", "n", "games", "Dice", "", 7, 10, Limits())


def differences(match: Match, players: int = 3, ticks: int = 20) -> list[Difference]:
    replayed = replay(fresh(HEADER, match), played(players, ticks).entries)
    return [each for each in replayed if isinstance(each, Difference)]


def test_ten_players_and_five_minutes_replay_identically() -> None:
    assert differences(Dice(), players=10, ticks=3000) == []


class Otherwise(Dice):
    def tick(self, inputs: Sequence[Input]) -> None:
        if self.context.tick == 13:
            self.dispatcher.broadcast(9, "x" * 1000)
        super().tick(inputs)


def test_a_difference_is_found_at_its_tick() -> None:
    (found,) = differences(Otherwise())

    assert (found.tick, found.call) == (13, "step")
    assert found.expected == "broadcast 2 to all from s0: 13"
    assert found.got.startswith("broadcast 9 to all: xxx")
    assert len(found.got) < 300


class Raises(Dice):
    def tick(self, inputs: Sequence[Input]) -> None:
        super().tick(inputs)
        if self.context.tick == 5:
            raise KeyError


def test_what_game_code_raises_is_a_difference() -> None:
    (found,) = differences(Raises())

    assert found.tick == 5


class Answers(Dice):
    def signal(self, data: str) -> str:
        return "no"


def test_another_answer_is_a_difference() -> None:
    (found,) = differences(Answers())

    assert (found.tick, found.call) == (20, "signal")
    assert "answer 'no'" in found.got
