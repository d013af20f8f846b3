"""The arena, tested as its author would: by hand, without a server, on a clock that only ticks."""

import hashlib
import os
import subprocess
import sys
from math import cos, hypot, sin
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from examples.arena import REACH, SIGHT, SIZE, SPEED, Arena, Op
from server.runtime import Replica
from server.runtime.run import Cause
from server.runtime.testing import FakePlayer, Refused, Table

STEP = SPEED / Arena.tick_rate
ROOT = Path(__file__).parents[2]


@pytest.fixture
def table() -> Table[Arena]:
    return Table(Arena)


class Watcher:
    """A client: what it knows of the arena from what it was sent."""

    def __init__(self, player: FakePlayer) -> None:
        self.player = player
        self.replica = Replica()

    @property
    def state(self) -> dict[str, Any]:
        for heard in self.player.take():
            assert heard.op_code == Op.STATE
            self.replica.apply(heard.data)
        return self.replica.state

    @property
    def place(self) -> tuple[float, float]:
        me = self.state["runners"][self.player.player.user_id]
        return me["x"], me["y"]


def put(table: Table[Arena], player: FakePlayer, x: float, y: float) -> None:
    """Somebody stands here now."""
    runner = table.match.runners[player.player.user_id]
    runner.x, runner.y, runner.dx, runner.dy = x, y, 0.0, 0.0


def banish_bots(table: Table[Arena]) -> None:
    """Bots keep their seats, in a far corner."""
    for runner in table.match.runners.values():
        if runner.bot:
            runner.x, runner.y, runner.rested_at = SIZE, SIZE, float("inf")


def label(table: Table[Arena]) -> Any:
    return msgspec.json.decode(table.label)


def test_a_player_runs_where_they_say_at_the_speed_of_all(table: Table[Arena]) -> None:
    alice = table.join("alice")
    watcher = Watcher(alice)
    put(table, alice, 50, 50)

    alice.send(Op.MOVE, {"dx": 1, "dy": 0})
    table.tick(20)

    assert watcher.place == pytest.approx((50 + SPEED, 50))


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (-1, 1), (1.0, -0.99), (0.6, 0.8)])
def test_the_diagonal_is_not_faster(table: Table[Arena], dx: float, dy: float) -> None:
    alice = table.join("alice")
    put(table, alice, 50, 50)

    alice.send(Op.MOVE, {"dx": dx, "dy": dy})
    table.tick()

    runner = table.match.runners[alice.player.user_id]
    assert hypot(runner.x - 50, runner.y - 50) == pytest.approx(STEP)


def test_a_gentle_push_is_slower_than_a_full_one(table: Table[Arena]) -> None:
    alice = table.join("alice")
    put(table, alice, 50, 50)

    alice.send(Op.MOVE, {"dx": 0.5, "dy": 0})
    table.tick()

    assert table.match.runners[alice.player.user_id].x == pytest.approx(50 + STEP / 2)


def test_many_messages_in_a_tick_are_one_step(table: Table[Arena]) -> None:
    alice = table.join("alice")
    put(table, alice, 50, 50)

    for _ in range(50):
        alice.send(Op.MOVE, {"dx": 1, "dy": 0})
    table.tick()

    assert table.match.runners[alice.player.user_id].x == pytest.approx(50 + STEP)


NONSENSE = [
    b'{"dx":NaN,"dy":0}',
    b'{"dx":Infinity,"dy":0}',
    b'{"dx":1e999,"dy":0}',
    b'{"dx":1e308,"dy":1e308}',
    b'{"dx":1' + b"0" * 400 + b',"dy":0}',
    b'{"dx":1.0001,"dy":0}',
    b'{"dx":0,"dy":-2}',
    b'{"dx":"1","dy":0}',
    b'{"dx":[1],"dy":0}',
    b'{"dx":null,"dy":0}',
    b'{"dx":1}',
    b'{"x":0,"y":0}',
    b"[1,0]",
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
]


@pytest.mark.parametrize("data", NONSENSE, ids=lambda data: repr(data[:24]))
@pytest.mark.parametrize("op_code", [Op.MOVE, Op.TAG, 99])
def test_nonsense_moves_nobody_and_ends_nothing(table: Table[Arena], op_code: int, data: bytes) -> None:
    alice = table.join("alice")
    put(table, alice, 50, 50)

    alice.send(op_code, data)
    table.tick()

    runner = table.match.runners[alice.player.user_id]
    assert (runner.x, runner.y, runner.score, table.over) == (50, 50, 0, None)


def test_the_wall_holds(table: Table[Arena]) -> None:
    alice = table.join("alice")
    watcher = Watcher(alice)
    put(table, alice, 1, 99)

    alice.send(Op.MOVE, {"dx": -1, "dy": 1})
    table.tick(20)

    assert watcher.place == (0, SIZE)


def test_a_runner_within_reach_is_tagged_and_goes_on_elsewhere(table: Table[Arena]) -> None:
    alice, bob = table.join("alice"), table.join("bob")
    watcher = Watcher(alice)
    banish_bots(table)
    put(table, alice, 10, 10)
    put(table, bob, 10 + REACH, 10)

    alice.send(Op.TAG, msgspec.json.encode(bob.player.user_id))
    table.tick()

    runner = table.match.runners[bob.player.user_id]
    assert watcher.state["scores"][alice.player.user_id] == 1
    assert (runner.x, runner.y) != (10 + REACH, 10)


@pytest.mark.parametrize(("x", "target"), [(10 + REACH + 0.01, "bob"), (10, "alice"), (10, "nobody")])
def test_who_is_out_of_reach_or_oneself_is_not_tagged(table: Table[Arena], x: float, target: str) -> None:
    alice, bob = table.join("alice"), table.join("bob")
    ids = {"alice": alice.player.user_id, "bob": bob.player.user_id}
    put(table, alice, 10, 10)
    put(table, bob, x, 10)

    alice.send(Op.TAG, msgspec.json.encode(ids.get(target, target)))
    table.tick()

    assert table.match.runners[ids["alice"]].score == 0


def test_who_has_tagged_must_rest(table: Table[Arena]) -> None:
    alice, bob = table.join("alice"), table.join("bob")
    banish_bots(table)
    runner = table.match.runners[alice.player.user_id]

    for _ in range(Arena.tick_rate + 1):
        put(table, alice, 10, 10)
        put(table, bob, 10, 10)
        alice.send(Op.TAG, msgspec.json.encode(bob.player.user_id))
        table.tick()
        assert runner.score == 1 or table.run.context.tick == Arena.tick_rate + 1

    assert runner.score == 2


def test_nobody_is_told_where_those_are_whom_they_cannot_see(table: Table[Arena]) -> None:
    alice, bob = table.join("alice"), table.join("bob")
    watcher = Watcher(alice)
    banish_bots(table)
    put(table, alice, 10, 10)
    put(table, bob, 10 + SIGHT + 1, 10)
    table.tick()
    assert list(watcher.state["runners"]) == [alice.player.user_id]
    assert bob.player.user_id in watcher.state["scores"]

    bob.send(Op.MOVE, {"dx": -1, "dy": 0})
    table.tick(Arena.tick_rate)
    assert set(watcher.state["runners"]) == {alice.player.user_id, bob.player.user_id}

    bob.send(Op.MOVE, {"dx": 1, "dy": 0})
    table.tick(Arena.tick_rate)
    assert list(watcher.state["runners"]) == [alice.player.user_id]


def test_a_client_that_missed_something_asks_for_all_of_it(table: Table[Arena]) -> None:
    alice = table.join("alice")
    table.tick()
    alice.take()

    alice.send(Op.RESYNC)
    table.tick()

    assert "state" in alice.take()[0].json()


def test_bots_fill_the_arena_and_make_room_for_humans(table: Table[Arena]) -> None:
    assert [each.bot for each in table.match.runners.values()] == [True] * Arena.seats

    alice = table.join("alice")
    assert sorted(each.bot for each in table.match.runners.values()) == [False] + [True] * 9

    alice.leave()
    table.tick()
    assert [each.bot for each in table.match.runners.values()] == [True] * Arena.seats


def test_bots_run_and_score(table: Table[Arena]) -> None:
    before = [(each.x, each.y) for each in table.match.runners.values()]

    table.tick(Arena.tick_rate * 120)

    assert all(
        here != (each.x, each.y) for here, each in zip(before, table.match.runners.values(), strict=True)
    )
    assert sum(each.score for each in table.match.runners.values()) > 0


def test_a_full_arena_refuses_the_next_and_says_why(table: Table[Arena]) -> None:
    players = [table.join(f"player {number}") for number in range(Arena.seats)]
    assert label(table) == {"mode": "arena", "open": False, "players": 10}

    with pytest.raises(Refused, match="The arena is full"):
        table.join("late")

    players[3].leave()
    assert label(table) == {"mode": "arena", "open": True, "players": 9}
    table.join("late")
    table.tick()
    assert len(table.match.runners) == Arena.seats


def test_a_user_plays_once(table: Table[Arena]) -> None:
    table.join("alice")

    with pytest.raises(Refused, match="You are playing already"):
        table.join("alice")


def test_the_label_changes_only_when_players_come_and_go(table: Table[Arena]) -> None:
    run = table.run
    assert label(table) == {"mode": "arena", "open": True, "players": 0}

    said = [output for _ in range(100) for output in run.step(table.now)]

    assert said == []  # bots need no news
    table.join("alice")
    assert label(table) == {"mode": "arena", "open": True, "players": 1}


def test_what_somebody_sent_before_they_left_is_passed_over(table: Table[Arena]) -> None:
    alice = table.join("alice")
    alice.send(Op.MOVE, {"dx": 1, "dy": 0})
    alice.send(Op.RESYNC)
    alice.leave()

    table.tick()

    assert table.over is None


class Short(Arena):
    round_s = 2.0


def test_the_round_ends_with_a_winner() -> None:
    table = Table(Short)
    alice = table.join("alice")
    watcher = Watcher(alice)
    table.match.runners[alice.player.user_id].score = 7

    table.tick(Short.tick_rate * 2)
    assert (watcher.state["left_s"], table.over) == (1, None)

    table.tick()
    assert (watcher.state["left_s"], watcher.state["winner"]) == (0, alice.player.user_id)
    assert table.over is Cause.FINISHED


def played(seed: int, ticks: int) -> str:
    """A digest of all that ten players heard, who did as chance would have it, and who came and went."""
    table, chance, digest = Table(Arena, seed=seed), Random(seed), hashlib.sha256()
    watchers = {name: Watcher(table.join(name)) for name in map(str, range(Arena.seats))}
    for tick in range(ticks):
        for name, watcher in watchers.items():
            if chance.random() < 0.1:
                angle = chance.uniform(0, 7)
                watcher.player.send(Op.MOVE, {"dx": cos(angle), "dy": sin(angle)})
            if chance.random() < 0.1:
                target = chance.choice(list(table.match.runners))
                watcher.player.send(Op.TAG, msgspec.json.encode(target))
            if tick % 600 == 60 * int(name):  # some leave for three seconds, one after the other
                watcher.player.leave()
            if tick % 600 == 60 * int(name) + 59:
                watchers[name] = Watcher(table.join(name))
        table.tick()
        for watcher in watchers.values():
            for heard in watcher.player.heard:
                digest.update(heard.data)
            if watcher.player.present:
                check_sight(table, watcher)
    assert table.over is None
    return digest.hexdigest()


def check_sight(table: Table[Arena], watcher: Watcher) -> None:
    """What the client knows is exactly what it may see."""
    me = table.match.runners[watcher.player.player.user_id]
    assert watcher.state["runners"] == {
        name: {"name": each.name, "x": round(each.x, 2), "y": round(each.y, 2)}
        for name, each in table.match.runners.items()
        if hypot(each.x - me.x, each.y - me.y) <= SIGHT
    }
    assert watcher.state["scores"] == {name: each.score for name, each in table.match.runners.items()}


def test_five_minutes_of_ten_players_are_the_same_each_time_whatever_the_hash_seed() -> None:
    script = "from tests.examples.test_arena import played; print(played(5, 6000))"
    others = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]

    heard = {each.communicate(timeout=120)[0].strip() for each in others}

    assert len(heard) == 1
    assert len(heard.pop()) == 64


def test_another_seed_is_another_round() -> None:
    assert played(1, 100) == played(1, 100) != played(2, 100)
