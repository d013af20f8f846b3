"""One authoritative match: who is in it, what they sent, and its game code behind a fence.

Pure: time and chance come in, and what the match says comes out, so that the same calls give the same outputs
and a recorded match can be run again. Scheduling, sockets and logs are around it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVarTuple, Unpack

from msgspec.structs import replace

from server.runtime.context import Context
from server.runtime.dispatcher import Broadcast, Dispatcher, End, Kick, Output, SetLabel, Spawn
from server.runtime.guard import MemoryLimit, Stopped, Subject, guarded
from server.runtime.match import Match
from server.runtime.players import Input, Player
from server.runtime.snapshot import VERSION, Seat, Snapshot, SnapshotError, encode, state_of

Given = TypeVarTuple("Given")

MIN_RATE, MAX_RATE = 1, 60
NO_REASON = "Match join rejected"


class Cause(StrEnum):
    """Why a match is over."""

    FINISHED = "finished"
    """Its code said so."""
    FAILED = "failed"
    """Its code raised, or returned what it must not, or did not come back."""
    MEMORY = "memory"
    """It took too much memory."""
    EMPTY = "empty"
    OVERLOADED = "overloaded"
    """Its ticks took too long for too long."""
    STOPPED = "stopped"
    """The server stops."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`inputs`: messages that may wait for a tick. `empty_s`: how long nobody may be there; 0: for ever.

    `reconnect_s`: how long the seat of a player whose connection dropped is held, `restore_s`: those of all
    players after a restart.
    """

    inputs: int = 128
    empty_s: float = 0.0
    reconnect_s: float = 0.0
    restore_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The match's answer to somebody who wants in. `reason` is what they are told when it is no."""

    allowed: bool
    reason: str = ""


class MatchRun:
    """Call `begin` first, and nothing once `cause` is set.

    Methods that let game code run return what it said. Kicks in it are carried out already: those members are
    gone, and `leave` was called.
    """

    def __init__(self, match: Match, context: Context, limits: Limits) -> None:
        self._limits = limits
        self._dispatcher = Dispatcher()
        self._players: dict[str, Player] = {}
        self._away: dict[str, float] = {}
        self._inputs: list[Input] = []
        self._empty_ticks = 0
        self.context = context
        self._subject = Subject(type(match).__name__, context.match_id)
        self.cause: Cause | None = None
        self.error: BaseException | None = None
        """What its code raised, if that ended it."""
        self.dropped = 0
        """Inputs that found no room."""
        self._adopt(match)

    @property
    def players(self) -> Mapping[str, Player]:
        """The members by session id, in the order in which they came."""
        return self._players

    @property
    def away(self) -> Mapping[str, float]:
        """Members whose connection dropped, with the Unix second until which their seat is held."""
        return self._away

    @property
    def label(self) -> str:
        return self._dispatcher.label

    def begin(self, params: Mapping[str, object], now: float) -> Sequence[Output]:
        """Let the match set itself up. `now`, here and below: Unix seconds."""
        if not MIN_RATE <= self.context.tick_rate <= MAX_RATE:
            raise ValueError(f"tick_rate must be {MIN_RATE}..{MAX_RATE}")
        self.context.started_at = now
        return self._run(lambda: _call(self._match.init, params), now)

    def ask(
        self, player: Player, metadata: Mapping[str, str], now: float
    ) -> tuple[Verdict, Sequence[Output]]:
        """Ask whether somebody may come in. They are no member yet."""
        verdict = Verdict(allowed=False, reason=NO_REASON)

        def ask() -> None:
            nonlocal verdict
            answer = self._match.join_attempt(player, metadata)
            if not isinstance(answer, bool | str):
                raise TypeError(f"join_attempt() must return True, False or a reason, not {answer!r}")
            verdict = Verdict(answer is True, "" if answer is True else answer or NO_REASON)

        said = self._run(ask, now)
        return verdict, said

    def enter(self, player: Player, now: float) -> Sequence[Output]:
        """Somebody who was allowed in becomes a member."""
        self._players[player.session_id] = player
        return self._run(lambda: _call(self._match.join, [player]), now)

    def leave(self, session_ids: Sequence[str], now: float) -> Sequence[Output]:
        """Members are gone. What they sent before still counts."""
        return self._run(lambda: self._gone(session_ids), now)

    def drop(self, session_id: str, now: float) -> Sequence[Output]:
        """A member's connection dropped: their seat is held for a time, if this match does so."""
        own = self._match.reconnect_s
        held_s = self._limits.reconnect_s if own is None else own
        if held_s <= 0:
            return self.leave([session_id], now)
        if session_id in self._players:
            self._away[session_id] = now + held_s
        return []

    def seat_of(self, user_id: str) -> Player | None:
        """The seat that is held for a user."""
        return next((seat for each in self._away if (seat := self._players[each]).user_id == user_id), None)

    def reenter(self, seat: Player, player: Player, now: float) -> Sequence[Output]:
        """Whoever `seat` was held for is back. They keep their place in the order of members."""
        members = list(self._players.values())
        self._away.pop(seat.session_id, None)
        self._players.clear()
        self._players.update(
            (each.session_id, each) for each in (player if each == seat else each for each in members)
        )
        return self._run(lambda: _call(self._match.reconnect, player, seat), now)

    def take(self, session_id: str, op_code: int, data: bytes, *, reliable: bool, now: float) -> bool:
        """Keep a member's message for the next tick. False when it is dropped: no member, or no room."""
        player = self._players.get(session_id)
        if player is None:
            return False
        if len(self._inputs) >= self._limits.inputs:
            self.dropped += 1
            return False
        self._inputs.append(Input(player, op_code, data, reliable, now))
        return True

    def step(self, now: float) -> Sequence[Output]:
        """One tick, with all that came in since the last."""
        inputs, self._inputs = self._inputs, []
        said = self._run(lambda: self._step(inputs, now), now)
        self.context.tick += 1
        self._empty_ticks = 0 if self._players else self._empty_ticks + 1
        longest = self._limits.empty_s * self.context.tick_rate
        if self.cause is None and 0 < longest <= self._empty_ticks:
            self.cause = Cause.EMPTY
        return said

    def signal(self, data: str, now: float) -> tuple[str, Sequence[Output]]:
        """Ask the match something from outside; the answer is empty if it failed."""
        answer = ""

        def signal() -> None:
            nonlocal answer
            told = self._match.signal(data)
            if not isinstance(told, str):
                raise TypeError(f"signal() must return text, not {told!r}")
            answer = told

        said = self._run(signal, now)
        return answer, said

    def stop(self, grace_s: float, now: float) -> Sequence[Output]:
        """The server stops in so many seconds; without any the match is simply over."""
        if grace_s > 0:
            return self._run(lambda: _call(self._match.terminate, grace_s), now)
        self.cause = Cause.STOPPED
        return []

    @property
    def match(self) -> Match:
        """The game's object."""
        return self._match

    def is_of(self, kind: type[Match]) -> bool:
        """Whether its code is this class."""
        return type(self._match) is kind

    @property
    def can_be_kept(self) -> bool:
        """Whether the match says what it needs to go on after a restart."""
        return type(self._match).snapshot is not Match.snapshot

    def snapshot(self, now: float) -> bytes:
        """The match as it is. Raises SnapshotError; one that had to be stopped is over (`cause`)."""
        seats = tuple(Seat(each.user_id, each.session_id, each.username) for each in self._players.values())
        context, state = self.context, self._state()
        return encode(
            Snapshot(VERSION, context.tick, context.started_at, now, context.seed, self.label, seats, state)
        )

    def restore(self, snapshot: Snapshot, now: float) -> Sequence[Output]:
        """Go on from a snapshot, instead of `begin`. All its members are away, and their seats held.

        Raises SnapshotError.
        """
        # The match's clock goes on from the snapshot: it did not run while the server was away.
        self.context.resume(snapshot.tick, snapshot.started_at + now - snapshot.taken_at)
        self._dispatcher.label = snapshot.label
        for seat in snapshot.seats:
            self._players[seat.session_id] = Player(seat.user_id, seat.session_id, seat.username)
            self._away[seat.session_id] = now + self._limits.restore_s
        return self._take_over(snapshot.state, now)

    def replace(self, match: Match, now: float) -> Sequence[Output]:
        """Go on with other code, which takes over the state. Raises SnapshotError, and goes on as before."""
        before, state = self._match, self._state()
        self._adopt(match)
        try:
            return self._take_over(state, now)
        except SnapshotError:
            self._adopt(before)
            raise

    def _state(self) -> Any:
        try:
            return guarded(self._subject, state_of, self._match.snapshot)
        except Stopped as error:
            self._failed(error)
            raise SnapshotError(f"snapshot() was stopped: {type(error).__name__}") from error

    def _take_over(self, state: Any, now: float) -> Sequence[Output]:
        self.context.now = now
        try:
            guarded(self._subject, _call, self._match.restore, state)
        except (Exception, Stopped) as error:  # game code may raise anything
            self._dispatcher.take()
            raise SnapshotError(f"restore() raised {type(error).__name__}") from error
        return self._run(lambda: None, now)

    def _adopt(self, match: Match) -> None:
        self._match = match
        match.context = self.context
        match.dispatcher = self._dispatcher
        match.players = self._players
        match.away = self._away

    def _step(self, inputs: list[Input], now: float) -> None:
        if self._away and (gone := [each for each, until in self._away.items() if until <= now]):
            self._gone(gone)
        _call(self._match.tick, inputs)

    def _run(self, call: Callable[[], None], now: float) -> list[Output]:
        """Game code, fenced: what it raises ends this match and reaches nobody else."""
        self.context.now = now
        said: list[Output] = []
        try:
            guarded(self._subject, self._let, call, said)
        except BaseException as error:  # a match is no task: nobody else waits for what it raises
            self._failed(error)
        return said

    def _let(self, call: Callable[[], None], said: list[Output]) -> None:
        call()
        while taken := self._dispatcher.take():
            for output in taken:
                if isinstance(output, Broadcast):  # nearly all are
                    said.append(self._addressed(output))
                else:
                    said += self._carried_out(output)

    def _failed(self, error: BaseException) -> None:
        self.cause = Cause.MEMORY if isinstance(error, MemoryLimit) else Cause.FAILED
        self.error = error
        self._dispatcher.take()

    def _addressed(self, said: Broadcast) -> Broadcast:
        """The same, for those alone who are members and not to be left out."""
        to = said.to
        if to is None or (not said.skip and all(map(self._players.__contains__, to))):
            return said
        there = tuple(each for each in to if each in self._players and each not in said.skip)
        return replace(said, to=there, skip=())

    def _carried_out(self, output: Kick | End | SetLabel | Spawn) -> list[Output]:
        match output:
            case Kick(sessions=named):
                kicked = tuple(each for each in named if each in self._players)
                if kicked:
                    self._gone(kicked)
                return [Kick(kicked)] if kicked else []
            case End():
                self.cause = Cause.FINISHED
                return []
            case SetLabel() | Spawn():
                return [output]
        raise AssertionError("all outputs are named above")

    def _gone(self, session_ids: Sequence[str]) -> None:
        gone = [player for each in session_ids if (player := self._players.pop(each, None)) is not None]
        for player in gone:
            self._away.pop(player.session_id, None)
        if gone:
            _call(self._match.leave, gone)


def _call(callback: Callable[[Unpack[Given]], object], *given: *Given) -> None:
    """A match's attributes are its state: whoever returns one expects something else to happen."""
    returned = callback(*given)
    if returned is not None:
        raise TypeError(f"{callback.__name__}() must return nothing, not {type(returned).__name__}")
