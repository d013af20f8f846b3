"""Rounds: when they begin, that others have their turn within, and what the matched are told."""

import asyncio
from collections.abc import Sequence

from protocol.messages import MatchmakerMatched, MatchmakerUser
from server.core.matchmaker import Limits, Matchmaker
from server.effects import Deliver, Effects
from server.matchmaking import SLICE, TOLD_AT_ONCE, Matchmaking, OnMatched, relayed
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.searches import NOW, player, search


class Rounds:
    """A matchmaker with its rounds, and what was performed, turn by turn."""

    def __init__(self, on_matched: OnMatched = relayed, interval_s: float = 0.001) -> None:
        self.matchmaker = Matchmaker(Limits())
        self.performed: list[Effects] = []
        self.minted: list[str] = []
        self.told = asyncio.Event()
        self.matchmaking = Matchmaking(
            self.matchmaker,
            ManualClock(NOW),
            self._perform,
            self._mint,
            lambda: "id",
            interval_s=interval_s,
            on_matched=on_matched,
        )

    def add(self, *numbers: int, count: int = 2) -> None:
        for number in numbers:
            self.matchmaker.add(f"t{number}", [player(number)], search(count, count), NOW)

    @property
    def heard(self) -> list[MatchmakerMatched]:
        effects = [effect for part in self.performed for effect in part if isinstance(effect, Deliver)]
        return [each.message for each in effects if isinstance(each.message, MatchmakerMatched)]

    def _perform(self, effects: Effects) -> None:
        self.performed.append(effects)
        self.told.set()

    def _mint(self, match_id: str) -> str:
        self.minted.append(match_id)
        return f"token of {match_id}"


async def test_the_matched_get_a_token_for_a_new_relayed_match() -> None:
    rounds = Rounds()
    rounds.add(1, 2)

    await rounds.matchmaking.round()

    assert [(each.ticket, each.token, each.match_id) for each in rounds.heard] == [
        ("t2", "token of id.", None),
        ("t1", "token of id.", None),
    ]
    assert rounds.minted == ["id."]  # one for all


async def test_game_code_may_send_them_to_a_match_of_its_own() -> None:
    asked: list[list[str]] = []

    async def own(users: Sequence[MatchmakerUser]) -> str | None:
        asked.append([user.presence.username for user in users if user.presence])
        return "match.node1"

    rounds = Rounds(own)
    rounds.add(1, 2)

    await rounds.matchmaking.round()

    assert asked == [["name2", "name1"]]
    assert {(each.token, each.match_id) for each in rounds.heard} == {(None, "match.node1")}
    assert rounds.minted == []


async def test_they_play_a_relayed_match_when_game_code_fails() -> None:
    async def broken(users: Sequence[MatchmakerUser]) -> str | None:
        raise ValueError("a mistake")

    rounds = Rounds(broken)
    rounds.add(1, 2)

    await rounds.matchmaking.round()

    assert len(rounds.heard) == 2
    assert rounds.minted == ["id."]
    assert rounds.matchmaking.failed == 1


async def test_a_ticket_that_breaks_its_slice_does_not_stop_the_others() -> None:
    rounds = Rounds()
    rounds.add(1, 2, 3)
    turn = rounds.matchmaker._turn
    broken: list[object] = []

    def once(ticket: object, number: int) -> object:
        if not broken:
            broken.append(ticket)
            raise ValueError("a mistake")
        return turn(ticket, number)  # type: ignore[arg-type]  # what it was called with

    rounds.matchmaker._turn = once  # type: ignore[assignment, method-assign]  # broken on purpose

    await rounds.matchmaking.round()

    assert len(rounds.heard) == 2
    assert rounds.matchmaking.failed == 1


async def test_rounds_go_on_until_they_are_cancelled() -> None:
    rounds, tasks = Rounds(), TaskOwner("test")
    running = tasks.spawn("rounds", rounds.matchmaking.run())

    for first in (1, 3):
        rounds.told.clear()
        rounds.add(first, first + 1)
        await asyncio.wait_for(rounds.told.wait(), 5)
    await tasks.cancel_all()

    assert running.cancelled()
    assert rounds.matchmaker.rounds >= 2


async def test_others_have_their_turn_within_a_long_round() -> None:
    rounds, tasks = Rounds(), TaskOwner("test")
    players = SLICE // 10
    for number in range(players):
        wanted = search(2, 2, f"+properties.nobody:{number}x")
        rounds.matchmaker.add(f"t{number}", [player(number)], wanted, NOW)
    task = tasks.spawn("round", rounds.matchmaking.round())
    turns = 0

    while not task.done():
        await asyncio.sleep(0)
        turns += 1

    assert turns > 2
    assert rounds.matchmaker.looked > SLICE


async def test_a_large_match_is_told_in_parts() -> None:
    rounds = Rounds()
    many = TOLD_AT_ONCE // 10
    rounds.add(*range(many), count=many)

    await rounds.matchmaking.round()

    assert len(rounds.heard) == many
    assert max(map(len, rounds.performed)) == TOLD_AT_ONCE // many
