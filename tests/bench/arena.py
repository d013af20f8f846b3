"""What a tick costs: of an empty match, of the arena with ten players, and of what `Synced` does in it.

Run as python -m tests.bench.arena it measures all of them in turns, and prints the median and the least CPU
microseconds. Delivery is not in it: no sockets, no envelopes.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from random import Random

from examples.arena import Arena, Op
from server.runtime import Dispatcher, Form, Input, Match, Player, Synced
from server.runtime.testing import Table
from tests.bench.report import say

ROUNDS, TICKS = 25, 100
MESSAGES_PER_S = 2
"""What each player sends."""
PLAYERS = [Player(f"user-{number}", f"session-{number}", f"player {number}") for number in range(10)]

Block = Callable[[], int]
"""So many ticks; CPU nanoseconds of what is measured in them."""


class Empty(Match):
    def tick(self, inputs: Sequence[Input]) -> None:
        pass


class SlowArena(Arena):
    tick_rate = 10
    round_s = 3600.0


class FastArena(Arena):
    round_s = 3600.0


def match_ticks(kind: type[Match], players: int) -> Block:
    """Ticks of a match whose players send a message now and then."""
    table, chance = Table(kind), Random(1)
    seated = [table.join(player.username) for player in PLAYERS[:players]]

    def block() -> int:
        spent = 0
        for _ in range(TICKS):
            for player in seated:
                if chance.random() < MESSAGES_PER_S / kind.tick_rate:
                    player.send(Op.MOVE, {"dx": chance.uniform(-1, 1), "dy": chance.uniform(-1, 1)})
            began = time.process_time_ns()
            table.run.step(table.now)
            spent += time.process_time_ns() - began
        return spent

    return block


def publishes(form: Form, *, by_view: bool) -> Block:
    """`publish` alone, of ten entities that all move, to ten players; each sees half of them, or all."""
    dispatcher, chance = Dispatcher(), Random(1)
    ids = [player.session_id for player in PLAYERS]
    seen = {each: (ids + ids)[number : number + 5] for number, each in enumerate(ids)}
    views = {"ships": lambda player: seen[player.session_id]} if by_view else None
    world = Synced(dispatcher, Op.STATE, form=form, views=views)
    world.state["ships"] = {each: {"name": each, "x": 0.0, "y": 0.0, "score": 0} for each in ids}

    def block() -> int:
        spent = 0
        for _ in range(TICKS):
            for ship in world.state["ships"].values():
                ship["x"], ship["y"] = round(chance.uniform(0, 100), 2), round(chance.uniform(0, 100), 2)
            began = time.process_time_ns()
            world.publish(PLAYERS)
            spent += time.process_time_ns() - began
            dispatcher.take()
        return spent

    return block


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    measured = {
        "tick, empty match": match_ticks(Empty, 0),
        "tick, arena of 10 players, 10 Hz": match_ticks(SlowArena, 10),
        "tick, arena of 10 players, 20 Hz": match_ticks(FastArena, 10),
        "publish to 10, all see all, JSON": publishes(Form.JSON, by_view=False),
        "publish to 10, all see all, MessagePack": publishes(Form.MSGPACK, by_view=False),
        "publish to 10, by view, JSON": publishes(Form.JSON, by_view=True),
        "publish to 10, by view, MessagePack": publishes(Form.MSGPACK, by_view=True),
    }
    costs: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(ROUNDS):
        for name, block in measured.items():
            costs[name].append(block() / TICKS / 1000)
    say(f"{'CPU us':44}{'median':>10}{'least':>10}")
    for name, each in costs.items():
        say(f"{name:44}{statistics.median(each):>10.1f}{min(each):>10.1f}")


if __name__ == "__main__":
    main()
