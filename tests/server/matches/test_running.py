"""A running match: in which order its players hear what."""

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest

from protocol.close import CloseReason
from protocol.messages import MatchData, MatchPresenceEvent
from server.core.live_match import JoinRefused, NoSuchMatch
from server.effects import Deliver, Disconnect, Reply
from server.matches.registry import Rules
from server.runtime import Input, Match, Player
from server.runtime.guard import CallbackTimeout
from server.runtime.run import Cause, Limits
from tests.support.live_game import LiveGame
from tests.support.players import ALICE, BOB, CAROL

STEP = 0.1


class Talker(Match):
    """Says what happens, and does what it is told."""

    def join_attempt(self, player: Player, metadata: object) -> bool | str:
        return player.username != "carol" or "No Carols"

    def join(self, players: Sequence[Player]) -> None:
        self.say("joined", players)

    def leave(self, players: Sequence[Player]) -> None:
        self.say("left", players)

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            command, _, _ = each.data.partition(b" ")
            match command:
                case b"kick":
                    self.dispatcher.broadcast(1, "before")
                    self.dispatcher.kick([each.player])
                    self.dispatcher.broadcast(1, "after")
                case b"skip":
                    self.dispatcher.broadcast(1, "others", skip=[each.player], sender=each.player)
                case b"state":
                    for number in range(3):
                        self.dispatcher.broadcast(
                            number,
                            "state",
                            to=(None, [each.player], self.players.values())[number],
                            skip=[each.player, each.player] if number == 2 else (),
                            latest_key=f"key {number}",
                        )
                case b"skip-all":
                    self.dispatcher.broadcast(1, "nobody", skip=list(self.players.values()))
                case b"fail":
                    raise RuntimeError("secret")
                case b"label":
                    self.dispatcher.set_label("new")
                case b"spawn":
                    self.dispatcher.spawn(nothing, 7)
                case _:
                    raise AssertionError(command)

    def signal(self, data: str) -> str:
        if data == "fail":
            raise RuntimeError
        return data.upper()

    def say(self, what: str, players: Sequence[Player]) -> None:
        self.dispatcher.broadcast(1, f"{what} {' '.join(each.username for each in players)}")


async def nothing(number: int) -> None: ...


def told(effect: object) -> str:
    """An effect in a word or two."""
    match effect:
        case Reply():
            return "reply"
        case Deliver(message=MatchData(data=data)):
            return data.decode()
        case Deliver(message=MatchPresenceEvent(joins=joins, leaves=leaves)):
            return " ".join(
                [*(f"+{each.username}" for each in joins), *(f"-{each.username}" for each in leaves)]
            )
        case _:
            return type(effect).__name__


def heard(game: LiveGame) -> list[str]:
    return [told(effect) for effect in game.take()]


@pytest.fixture
def game() -> LiveGame:
    return LiveGame(Talker)


async def test_the_answer_and_the_event_come_before_what_the_game_says_of_a_join(game: LiveGame) -> None:
    match = game.create(Talker)

    await game.join(ALICE, match)

    assert heard(game) == ["reply", "+alice"]
    game.loop.turn()
    assert heard(game) == ["joined alice"]


async def test_a_tick_that_comes_first_knows_of_the_join_already(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)

    match.tick()

    assert heard(game) == ["reply", "+alice", "joined alice"]
    game.loop.turn()
    assert heard(game) == []


async def test_a_leave_is_told_in_the_same_order(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    await game.join(BOB, match)
    game.loop.turn()
    game.take()

    game.leave(BOB, match)

    assert heard(game) == ["reply", "-bob"]
    game.loop.turn()
    assert heard(game) == ["left bob"]


async def test_who_leaves_and_comes_back_at_once_has_left_and_joined(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    game.loop.turn()
    game.take()

    game.leave(ALICE, match)
    await game.join(ALICE, match)
    game.loop.turn()

    assert heard(game) == ["reply", "left alice", "reply", "+alice", "joined alice"]


async def test_who_is_kicked_is_sent_what_was_said_before(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    await game.join(BOB, match)
    game.loop.turn()
    game.take()
    match.receive(ALICE.session_id, 1, b"kick", reliable=True)

    match.tick()

    assert heard(game) == ["before", "-alice", "after", "left alice"]
    assert list(game.presences.members(match.stream)) == [BOB.session_id]
    game.loop.turn()
    assert heard(game) == []  # the game knew that they are gone


async def test_data_keeps_its_key_however_it_is_addressed(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    await game.join(BOB, match)
    game.loop.turn()
    game.take()

    match.receive(ALICE.session_id, 1, b"state", reliable=True)
    match.tick()

    sent = [each for each in game.take() if isinstance(each, Deliver)]
    assert [(each.to, each.latest_key) for each in sent] == [
        (match.stream, "key 0"),
        ((ALICE.session_id,), "key 1"),
        ((BOB.session_id,), "key 2"),
    ]


async def test_data_names_its_sender_and_leaves_out_who_is_to_be_skipped(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    await game.join(BOB, match)
    game.loop.turn()
    game.take()
    match.receive(ALICE.session_id, 1, b"skip", reliable=True)
    match.receive(ALICE.session_id, 1, b"skip-all", reliable=True)

    match.tick()

    one, nobody = game.take()
    assert isinstance(one, Deliver)
    assert (one.to, one.skip) == (match.stream, ALICE.session_id)
    assert isinstance(one.message, MatchData)
    assert one.message.presence == ALICE
    assert isinstance(nobody, Deliver)
    assert nobody.to == ()


async def test_a_match_says_nothing_to_who_has_left_unknown_to_it(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    await game.join(BOB, match)
    game.loop.turn()
    player = match.run.players[BOB.session_id]
    game.members.leave(BOB, match.stream)
    game.take()

    match.run._dispatcher.broadcast(1, "direct", to=[player])
    match.signal("x")

    direct = [each.to for each in game.take() if isinstance(each, Deliver) and told(each) == "direct"]
    assert direct == [()]


async def test_a_failure_puts_its_own_players_out_and_says_no_secret(game: LiveGame) -> None:
    match, other = game.create(Talker), game.create(Talker)
    await game.join(ALICE, match)
    await game.join(BOB, other)
    game.loop.turn()
    game.take()
    match.receive(ALICE.session_id, 1, b"fail", reliable=True)

    assert match.tick() is False

    assert game.take() == [Disconnect(ALICE.session_id, CloseReason.DISCONNECTED)]
    assert match.run.cause is Cause.FAILED
    assert list(game.registry.matches) == [other.match_id]
    assert other.tick() is True


async def test_whoever_the_match_refuses_is_told_why(game: LiveGame) -> None:
    match = game.create(Talker)

    with pytest.raises(JoinRefused, match="No Carols"):
        await game.join(CAROL, match)

    game.loop.turn()
    assert heard(game) == []


async def test_a_label_is_new_at_once_and_functions_are_started(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    game.loop.turn()
    for command in (b"label", b"spawn"):
        match.receive(ALICE.session_id, 1, command, reliable=True)

    match.tick()

    assert game.registry.label(match.match_id) == "new"
    assert game.registry.get(match.match_id).label == "new"
    assert game.spawned == [(match.match_id, "(7,)")]


async def test_signals_are_answered_until_the_match_is_over(game: LiveGame) -> None:
    match = game.create(Talker)

    assert match.signal("hi") == "HI"
    assert match.signal("fail") == ""
    with pytest.raises(NoSuchMatch):
        match.signal("hi")


async def test_messages_that_find_no_room_are_dropped_and_counted() -> None:
    game = LiveGame(Talker, rules=Rules(limits=Limits(inputs=2)))
    match = game.create(Talker)
    await game.join(ALICE, match)

    for _ in range(5):
        match.receive(ALICE.session_id, 1, b"x", reliable=True)
    match.receive(BOB.session_id, 1, b"x", reliable=True)

    assert game.registry.inputs_dropped == 3
    match.stop(0)
    assert game.registry.inputs_dropped == 3


class Stuck(Match):
    """Never finishes telling what it is."""

    def tick(self, inputs: Sequence[Input]) -> None: ...

    def snapshot(self) -> Any:
        raise CallbackTimeout

    def restore(self, state: Any) -> None: ...


async def test_a_match_that_cannot_finish_its_snapshot_is_ended_with_its_players_put_out() -> None:
    game = LiveGame(Stuck, rules=Rules(keep_every=1))
    match = game.create(Stuck)
    await game.join(ALICE, match)
    game.loop.turn()
    game.take()

    assert match.tick() is False

    assert game.take() == [Disconnect(ALICE.session_id, CloseReason.DISCONNECTED)]
    assert match.over
    assert not game.registry.matches


async def test_code_that_cannot_be_replaced_because_it_is_stuck_ends() -> None:
    game = LiveGame(Stuck)
    match = game.create(Stuck)

    game.registry.replace({"Stuck": type("Stuck", (Stuck,), {})})

    assert match.over


async def test_a_match_that_takes_too_much_memory_is_given_up_once(game: LiveGame) -> None:
    match = game.create(Talker)
    await game.join(ALICE, match)
    game.loop.turn()
    game.take()

    match.give_up(Cause.MEMORY)
    match.give_up(Cause.MEMORY)

    assert game.take() == [Disconnect(ALICE.session_id, CloseReason.DISCONNECTED)]
    assert game.registry.ended_by[Cause.MEMORY] == 1
    assert match.tick() is False


async def test_what_a_match_held_that_failed_is_free_at_once(game: LiveGame) -> None:
    match = game.create(Talker)
    held = weakref.ref(match.run)
    match.signal("fail")

    gc.disable()
    try:
        del match
        assert held() is None
    finally:
        gc.enable()
