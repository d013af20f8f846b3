"""A match run by hand, without a server: players who come and go, ticks, and what each player hears.

    table = Table(TicTacToe)
    alice, bob = table.join("alice"), table.join("bob")
    alice.send(MOVE, {"cell": 4})
    table.tick()
    assert bob.heard[-1].json() == {"cell": 4, "by": "alice"}

Game code that raises fails the test with its own exception.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from server.runtime.context import Context
from server.runtime.dispatcher import Broadcast, Data, Output, Spawn, encoded
from server.runtime.match import Match
from server.runtime.players import Input, Player
from server.runtime.run import Cause, Limits, MatchRun
from server.runtime.snapshot import SnapshotError, decode

M = TypeVar("M", bound=Match)

STARTED_AT = 1_800_000_000.0
NODE = "test"


def user_id_of(username: str) -> str:
    """The user id of a fake player."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, username))


class Refused(Exception):
    """The match did not let somebody in; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a player was sent."""

    op_code: int
    data: bytes
    sender: Player | None
    reliable: bool

    def json(self) -> Any:
        """The data read as JSON. Raises ValueError."""
        return Input(_NOBODY, self.op_code, self.data).json()


@dataclass(eq=False, slots=True)
class FakePlayer:
    """A player at the table. `heard` is all that the match sent them, the latest last."""

    player: Player
    table: "Table[Any]"
    heard: list[Heard] = field(default_factory=list)

    @property
    def present(self) -> bool:
        """Whether they are a member, or their seat is held."""
        return self.player.session_id in self.table.run.players

    def send(self, op_code: int, data: Data = b"", *, reliable: bool = True) -> bool:
        """Send something; the match sees it at its next tick. False if it is dropped, as a server would."""
        return self.table.run.take(
            self.player.session_id, op_code, encoded(data), reliable=reliable, now=self.table.now
        )

    def leave(self) -> None:
        """Leave, as if the socket had closed."""
        self.table.play(self.table.run.leave([self.player.session_id], self.table.now))

    def drop(self) -> None:
        """Lose the connection. If the match holds their seat, whoever joins by the same name gets it."""
        self.table.play(self.table.run.drop(self.player.session_id, self.table.now))

    def take(self) -> list[Heard]:
        """What was heard since last asked."""
        heard, self.heard = self.heard, []
        return heard


class Table(Generic[M]):
    """A match that has begun. `match` is the object itself, to look at its state."""

    def __init__(
        self,
        kind: type[M],
        params: Mapping[str, Any] | None = None,
        *,
        seed: int = 1,
        limits: Limits | None = None,
    ) -> None:
        self._begin(kind, seed, limits or Limits())
        self.play(self.run.begin(params or {}, STARTED_AT))

    def _begin(self, kind: type[M], seed: int, limits: Limits) -> None:
        self._kind = kind
        self._limits = limits
        self._ids = 0
        self.match = kind()
        context = Context(f"{uuid.UUID(int=seed)}.{NODE}", NODE, kind.tick_rate, seed)
        self.run = MatchRun(self.match, context, limits)
        self.players: dict[str, FakePlayer] = {}
        """Everybody who ever joined, by session id."""
        self.spawned: list[Spawn] = []
        """What the match started outside of itself: nothing runs it here."""

    @property
    def match_id(self) -> str:
        return self.run.context.match_id

    @property
    def now(self) -> float:
        """Unix seconds: when the next tick is due."""
        return STARTED_AT + self.run.context.tick / self.run.context.tick_rate

    @property
    def label(self) -> str:
        return self.run.label

    @property
    def over(self) -> Cause | None:
        """Why the match is over, if it is."""
        return self.run.cause

    def join(
        self,
        username: str,
        metadata: Mapping[str, str] | None = None,
        *,
        session_vars: Mapping[str, str] | None = None,
    ) -> FakePlayer:
        """Bring somebody in. The same name is the same user, each time with a socket of its own.

        Somebody whose seat is held is back in it. Raises Refused when the match does not let them in.
        """
        user_id = user_id_of(username)
        session_id = str(uuid.UUID(int=self._ids + len(self.players) + 1))
        player = Player(user_id, session_id, username, session_vars or {})
        seat = self.run.seat_of(user_id)
        if seat is not None:
            fake = self.players[session_id] = FakePlayer(player, self)
            self.play(self.run.reenter(seat, player, self.now))
            return fake
        verdict, said = self.run.ask(player, metadata or {}, self.now)
        self.play(said)
        if not verdict.allowed:
            raise Refused(verdict.reason)
        fake = self.players[session_id] = FakePlayer(player, self)
        self.play(self.run.enter(player, self.now))
        return fake

    def tick(self, times: int = 1) -> None:
        """Let so many ticks pass, or fewer if the match ends."""
        for _ in range(times):
            if self.run.cause is not None:
                return
            self.play(self.run.step(self.now))

    def signal(self, data: str) -> str:
        """Ask the match something from outside."""
        answer, said = self.run.signal(data, self.now)
        self.play(said)
        return answer

    def restart(self) -> "Table[M]":
        """The server stops and starts again: a new match goes on from this one's snapshot.

        Its players are away, and have their seats back when they join. Raises what the code raised.
        """
        table: Table[M] = Table.__new__(type(self))
        table._begin(self._kind, self.run.context.seed, self._limits)
        table._ids = len(self.players) + self._ids
        try:
            table.play(table.run.restore(decode(self.run.snapshot(self.now)), self.now))
        except SnapshotError as error:
            raise error.__cause__ or error from None
        return table

    def terminate(self, grace_s: float) -> None:
        """Tell the match that the server will stop."""
        self.play(self.run.stop(grace_s, self.now))

    def play(self, said: Sequence[Output]) -> None:
        """Carry out what the match said. Raises what its code raised."""
        for output in said:
            if isinstance(output, Spawn):
                self.spawned.append(output)
            elif isinstance(output, Broadcast):
                heard = Heard(output.op_code, output.data, output.sender, output.reliable)
                to = self.run.players if output.to is None else output.to
                for session_id in to:
                    if session_id not in output.skip and session_id not in self.run.away:
                        self.players[session_id].heard.append(heard)
        if self.run.error is not None:
            raise self.run.error


_NOBODY = Player("", "", "")
