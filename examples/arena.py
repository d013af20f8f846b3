"""Arena: everybody runs, everybody tags, and nobody is told where those are whom they cannot see.

A player sends MOVE with {"dx": -1..1, "dy": -1..1}, the way to run, TAG with an id, or RESYNC when
it missed something. All are sent STATE: the seconds left, the scores, and the runners within their sight.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from math import ceil, cos, hypot, sin, tau
from typing import Any, ClassVar

from server.runtime import Input, Match, Player, Synced

SIZE = 100.0  # of the arena, a square
SPEED = 8.0  # of a runner, in a second
SIGHT, REACH = 25.0, 3.0
REST_S = 1.0  # between two tags of one runner


class Op(IntEnum):
    """What messages are about."""

    MOVE = 1
    TAG = 2
    STATE = 3
    RESYNC = 4


@dataclass(slots=True)
class Runner:
    """A human, or a bot. `dx` and `dy` are the way it runs, together at most 1 long."""

    name: str
    x: float
    y: float
    dx: float = 0.0
    dy: float = 0.0
    bot: bool = False
    score: int = 0
    rested_at: float = 0.0

    def run(self, distance: float) -> None:
        """Run so far, but not through the wall."""
        self.x = min(max(self.x + self.dx * distance, 0.0), SIZE)
        self.y = min(max(self.y + self.dy * distance, 0.0), SIZE)

    def shown(self) -> dict[str, Any]:
        return {"name": self.name, "x": round(self.x, 2), "y": round(self.y, 2)}


def direction(sent: Any) -> tuple[float, float]:
    """The way that a client wants to run, at most 1 long. Raises ValueError: it may send anything."""
    match sent:
        case {"dx": int() | float() as dx, "dy": int() | float() as dy} if abs(dx) <= 1 and abs(dy) <= 1:
            length = max(hypot(dx, dy), 1.0)  # the diagonal is not faster
            return dx / length, dy / length
    raise ValueError("send dx and dy, each from -1 to 1")


class Arena(Match):
    """One round. The server alone knows where runners are: a client says where to, and never where."""

    tick_rate = 20
    seats: ClassVar[int] = 10
    round_s: ClassVar[float] = 300.0

    def init(self, params: Mapping[str, Any]) -> None:
        self.runners: dict[str, Runner] = {}  # by user id, or the bot's own
        self.bots = 0
        self.world = Synced(self.dispatcher, Op.STATE, views={"runners": self.sees})
        self.fill_up()

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        if player.user_id in self.runners:
            return "You are playing already"
        return len(self.players) < self.seats or "The arena is full"

    def join(self, players: Sequence[Player]) -> None:
        for player in players:
            for bot in [name for name, each in self.runners.items() if each.bot][-1:]:
                del self.runners[bot]
            self.runners[player.user_id] = Runner(player.username, *self.spot())
        self.fill_up()

    def leave(self, players: Sequence[Player]) -> None:
        for player in players:
            del self.runners[player.user_id]
        self.fill_up()

    def fill_up(self) -> None:
        """Let bots have the free seats, and tell listings how many are taken by humans."""
        while len(self.runners) < self.seats:
            self.bots += 1
            self.runners[f"bot-{self.bots}"] = Runner(f"Bot {self.bots}", *self.spot(), bot=True)
        humans = len(self.players)
        self.dispatcher.set_label({"mode": "arena", "open": humans < self.seats, "players": humans})

    def tick(self, inputs: Sequence[Input]) -> None:
        for sent in inputs:
            with suppress(ValueError, KeyError):  # nonsense, or from somebody who left since, changes nothing
                self.obey(sent, self.runners[sent.player.user_id])
        for runner in self.runners.values():
            if runner.bot and self.context.random.random() < self.context.dt:
                self.think(runner)
            runner.run(SPEED * self.context.dt)
        self.show()

    def obey(self, sent: Input, runner: Runner) -> None:
        if sent.op_code == Op.MOVE:
            runner.dx, runner.dy = direction(sent.json())
        elif sent.op_code == Op.TAG:
            self.tag(runner, self.runners[str(sent.json())])
        elif sent.op_code == Op.RESYNC:
            self.world.resync([sent.player])

    def tag(self, runner: Runner, target: Runner) -> None:
        """A point for who reaches another; the other goes on somewhere else."""
        now = self.context.elapsed
        near = hypot(target.x - runner.x, target.y - runner.y) <= REACH
        if near and now >= runner.rested_at and target is not runner:
            runner.score, runner.rested_at = runner.score + 1, now + REST_S
            target.x, target.y = self.spot()

    def think(self, bot: Runner) -> None:
        """About once a second a bot tags whom it can, and runs another way."""
        for other in self.runners.values():
            self.tag(bot, other)
        angle = self.context.random.uniform(0, tau)
        bot.dx, bot.dy = cos(angle), sin(angle)

    def spot(self) -> tuple[float, float]:
        return self.context.random.uniform(0, SIZE), self.context.random.uniform(0, SIZE)

    def sees(self, player: Player) -> list[str]:
        me = self.runners[player.user_id]
        return [name for name, each in self.runners.items() if hypot(each.x - me.x, each.y - me.y) <= SIGHT]

    def show(self) -> None:
        state, left_s = self.world.state, self.round_s - self.context.elapsed
        state["left_s"] = max(ceil(left_s), 0)
        state["scores"] = {name: each.score for name, each in self.runners.items()}
        state["runners"] = {name: each.shown() for name, each in self.runners.items()}
        if left_s <= 0:
            state["winner"] = max(self.runners, key=lambda name: self.runners[name].score)
            self.dispatcher.end()
        self.world.publish(self.players.values())
