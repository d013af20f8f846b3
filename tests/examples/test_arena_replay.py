"""A recorded arena of ten players and five minutes runs again the same, and a planted fault is found."""

from collections.abc import Sequence
from random import Random

import pytest

from examples.arena import Arena, Op
from server.runtime.context import Context
from server.runtime.dispatcher import encoded
from server.runtime.journal import Entry, Header, RecordedRun
from server.runtime.players import Input, Player
from server.runtime.replay import Difference, fresh, replay
from server.runtime.run import Limits
from tests.server.runtime.recorded import Pages

TICKS = 5 * 60 * Arena.tick_rate
HEADER = Header("1", "m.n", "n", "examples.arena", "Arena", "", 7, Arena.tick_rate, Limits())


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    pages, chance = Pages(), Random(1)
    run = RecordedRun(Arena(), Context("m.n", "n", Arena.tick_rate, 7), Limits(), pages)
    run.begin({}, 0.0)
    for n in range(10):
        run.enter(Player(f"u{n}", f"s{n}", f"name{n}"), 0.0)
    for tick in range(TICKS):
        now = tick / Arena.tick_rate
        session = f"s{chance.randrange(10)}"
        move = encoded({"dx": chance.uniform(-1, 1), "dy": chance.uniform(-1, 1)})
        run.take(session, Op.MOVE, move, reliable=True, now=now)
        run.step(now)
    assert run.cause is None
    return pages.entries


def test_it_replays_identically(entries: list[Entry]) -> None:
    assert list(replay(fresh(HEADER, Arena()), entries)) == entries


class Faulty(Arena):
    def tick(self, inputs: Sequence[Input]) -> None:
        if self.context.tick == 4321:
            self.dispatcher.broadcast(99, "fault")
        super().tick(inputs)


def test_a_planted_difference_is_found_at_its_tick(entries: list[Entry]) -> None:
    last = list(replay(fresh(HEADER, Faulty()), entries))[-1]

    assert isinstance(last, Difference)
    assert (last.tick, last.got) == (4321, "broadcast 99 to all: fault")
