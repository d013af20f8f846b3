"""Seats that are held: for players who dropped, over a restart, and over a change of the code."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from server.runtime import Context, Input, Match, Player
from server.runtime.journal import Entry, RecordedRun
from server.runtime.run import Cause, Limits, MatchRun
from server.runtime.snapshot import SnapshotError, decode
from server.runtime.testing import Table

ALICE, BOB = Player("a", "session-a", "alice"), Player("b", "session-b", "bob")
ALICE_AGAIN = Player("a", "session-c", "alice")
NOW = 1_800_000_000.0


class Score(Match):
    """Remembers points and what happened."""

    tick_rate = 4

    def init(self, params: Mapping[str, Any]) -> None:
        self.points = 0
        self.happened: list[str] = []
        self.dispatcher.set_label("score")

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool:
        self.happened.append(f"asked {player.username}")
        return True

    def join(self, players: Sequence[Player]) -> None:
        self.happened += [f"+{each.username}" for each in players]

    def leave(self, players: Sequence[Player]) -> None:
        self.happened += [f"-{each.username}" for each in players]

    def reconnect(self, player: Player, was: Player) -> None:
        self.happened.append(f"{was.session_id}={player.session_id}")
        self.dispatcher.broadcast(1, str(self.points), to=[player])

    def tick(self, inputs: Sequence[Input]) -> None:
        self.points += len(inputs)

    def snapshot(self) -> Any:
        return {"points": self.points}

    def restore(self, state: Any) -> None:
        self.points = state["points"]
        self.happened = [f"restored with {[each.username for each in self.players.values()]}"]


class Holding(Score):
    reconnect_s = 10.0


class Letting(Score):
    reconnect_s = 0.0


def begun(kind: type[Score] = Score, reconnect_s: float = 10.0) -> tuple[Score, MatchRun]:
    match = kind()
    run = MatchRun(match, Context("m.node", "node", 4, seed=1), Limits(reconnect_s=reconnect_s, restore_s=30))
    run.begin({}, NOW)
    run.enter(ALICE, NOW)
    run.enter(BOB, NOW)
    match.happened.clear()
    return match, run


def test_a_seat_is_held_and_taken_again_without_leave_and_join() -> None:
    match, run = begun()

    run.drop(ALICE.session_id, NOW)
    run.step(NOW + 9.9)
    assert dict(match.away) == {ALICE.session_id: NOW + 10}
    seat = run.seat_of("a")
    assert seat == ALICE
    said = run.reenter(seat, ALICE_AGAIN, NOW + 9.9)

    assert match.happened == ["session-a=session-c"]
    assert len(said) == 1
    assert [each.session_id for each in match.players.values()] == ["session-c", "session-b"]
    assert (dict(match.away), run.seat_of("a")) == ({}, None)
    assert run.take("session-c", 1, b"", reliable=True, now=NOW)
    assert not run.take("session-a", 1, b"", reliable=True, now=NOW)


def test_a_seat_is_given_up_at_the_first_tick_after_its_time() -> None:
    match, run = begun()

    run.drop(ALICE.session_id, NOW)
    run.step(NOW + 10)

    assert match.happened == ["-alice"]
    assert (list(match.players), dict(match.away)) == ([BOB.session_id], {})


@pytest.mark.parametrize(
    ("kind", "configured", "held"), [(Score, 0, False), (Letting, 10, False), (Holding, 0, True)]
)
def test_the_match_has_the_last_word_on_whether_seats_are_held(
    kind: type[Score], configured: float, held: bool
) -> None:
    match, run = begun(kind, configured)

    run.drop(ALICE.session_id, NOW)

    assert match.happened == ([] if held else ["-alice"])


def test_who_leaves_or_is_kicked_has_no_seat_any_more() -> None:
    match, run = begun()
    run.drop(ALICE.session_id, NOW)
    run.drop("unknown", NOW)

    match.dispatcher.kick([ALICE])
    run.step(NOW)
    run.leave([BOB.session_id], NOW)

    assert match.happened == ["-alice", "-bob"]
    assert run.seat_of("a") is None


def test_a_match_where_all_are_away_is_not_empty() -> None:
    match = Score()
    run = MatchRun(match, Context("m.node", "node", 4, seed=1), Limits(empty_s=1.0, reconnect_s=10))
    run.begin({}, NOW)
    run.enter(ALICE, NOW)
    run.drop(ALICE.session_id, NOW)

    for number in range(39):
        run.step(NOW + number / 4)
    assert run.cause is None
    for number in range(39, 60):
        run.step(NOW + number / 4)

    assert run.cause is Cause.EMPTY


def test_a_match_goes_on_after_a_restart_with_its_seats_held() -> None:
    _, run = begun()
    run.take(ALICE.session_id, 1, b"", reliable=True, now=NOW)
    run.step(NOW + 0.25)
    again = Score()
    restored = MatchRun(again, Context("m.node", "node", 4, seed=1), Limits(reconnect_s=10, restore_s=30))

    restored.restore(decode(run.snapshot(NOW + 1)), NOW + 100)

    assert again.happened == ["restored with ['alice', 'bob']"]
    assert (again.points, restored.label, restored.context.tick) == (1, "score", 1)
    assert restored.context.elapsed == pytest.approx(1.0)
    assert set(again.away.values()) == {NOW + 130}
    restored.step(NOW + 130)
    assert again.happened[1:] == ["-alice", "-bob"]


def test_the_same_restart_draws_the_same_chances() -> None:
    _, run = begun()
    data = run.snapshot(NOW)
    drawn = []
    for _ in range(2):
        restored = MatchRun(Score(), Context("m.node", "node", 4, seed=1), Limits())
        restored.restore(decode(data), NOW)
        drawn.append(restored.context.random.random())

    assert drawn[0] == drawn[1]


class Doubling(Score):
    """A newer version of the code."""

    def tick(self, inputs: Sequence[Input]) -> None:
        self.points += 2 * len(inputs)


class Broken(Score):
    def restore(self, state: Any) -> None:
        raise KeyError("points")


def test_code_is_replaced_and_the_state_kept() -> None:
    match, run = begun()
    match.points = 5
    newer = Doubling()

    run.replace(newer, NOW)
    run.take(ALICE.session_id, 1, b"", reliable=True, now=NOW)
    run.step(NOW)

    assert newer.points == 7
    assert dict(newer.away) == {}


def test_code_that_cannot_take_over_leaves_the_old_one_running() -> None:
    match, run = begun()

    with pytest.raises(SnapshotError, match="restore"):
        run.replace(Broken(), NOW)
    run.take(ALICE.session_id, 1, b"", reliable=True, now=NOW)
    run.step(NOW)

    assert (match.points, run.cause) == (1, None)


def test_a_match_without_snapshot_cannot_be_kept() -> None:
    class Plain(Match):
        def tick(self, inputs: Sequence[Input]) -> None: ...

    run = MatchRun(Plain(), Context("m.node", "node", 4, seed=1), Limits())
    run.begin({}, NOW)

    assert not run.can_be_kept
    with pytest.raises(SnapshotError):
        run.replace(Plain(), NOW)
    assert begun()[1].can_be_kept


def test_the_kit_drops_players_and_restarts_servers() -> None:
    table = Table(Holding)
    alice, bob = table.join("alice"), table.join("bob")
    alice.send(1)
    table.tick()

    alice.drop()
    alice_again = table.join("alice")
    later = table.restart()
    bob_again = later.join("bob")

    assert [each.data for each in alice_again.heard] == [b"1"]
    assert [each.data for each in bob_again.heard] == [b"1"]
    assert alice.heard == bob.heard == []
    assert later.match.happened[0] == "restored with ['alice', 'bob']"
    later.tick(4 * 61)
    assert later.match.happened[-1] == "-alice"


class Noted:
    """A journal that counts."""

    def __init__(self) -> None:
        self.entries = 0
        self.given_up: list[str] = []

    def write(self, entry: Entry) -> None:
        self.entries += 1

    def give_up(self, reason: str) -> None:
        self.given_up.append(reason)


def test_a_recording_ends_when_the_code_is_replaced_and_not_when_that_fails() -> None:
    journal = Noted()
    run = RecordedRun(Score(), Context("m.node", "node", 4, seed=1), Limits(), journal)
    run.begin({}, NOW)

    with pytest.raises(SnapshotError):
        run.replace(Broken(), NOW)
    run.step(NOW)
    assert (journal.entries, journal.given_up) == (2, [])

    run.replace(Doubling(), NOW)
    assert journal.given_up == ["its code was replaced"]
