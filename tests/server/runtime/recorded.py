"""A match with chance and inputs in it, and a journal in memory."""

from collections.abc import Sequence

from server.runtime.context import Context
from server.runtime.journal import Entry, RecordedRun
from server.runtime.match import Match
from server.runtime.players import Input, Player
from server.runtime.run import Limits


class Dice(Match):
    """Says a number at each tick, and what it was sent."""

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            self.dispatcher.broadcast(2, each.data, sender=each.player)
        self.dispatcher.broadcast(1, {"roll": self.context.random.randint(1, 1000), "at": self.context.now})

    def signal(self, data: str) -> str:
        return data + str(self.context.random.random())


class Pages:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.reasons: list[str] = []

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)

    def give_up(self, reason: str) -> None:
        self.reasons.append(reason)


def played(players: int = 3, ticks: int = 20) -> Pages:
    """A recorded match of players who come, send at each tick, and leave."""
    pages = Pages()
    run = RecordedRun(Dice(), Context("m.n", "n", 10, 7), Limits(), pages)
    run.begin({"map": [1, 2]}, 100.0)
    for n in range(players):
        player = Player(f"u{n}", f"s{n}", f"name{n}", {"k": "v"})
        run.ask(player, {}, 100.0)
        run.enter(player, 100.0)
    for tick in range(ticks):
        for n in range(players):
            run.take(f"s{n}", 1, b"%d" % tick, reliable=True, now=100 + tick / 10)
        run.step(100 + tick / 10)
    run.signal("hi", 200.0)
    run.leave(["s0"], 200.0)
    run.stop(0, 200.0)
    return pages
