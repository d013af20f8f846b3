"""One match that runs: its game code, its pace, and what it says carried out on those who are in it.

Joins and leaves reach the game code a little later than the members' list: the answer to a request, and what
other members are told, go out before anything that the game says about it.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from protocol.close import CloseReason
from protocol.messages import MatchData, UserPresence
from server.clock import Clock
from server.core.live_match import JoinRefused, Left, LiveMembers, NoSuchMatch
from server.core.presence import Presences
from server.effects import Deliver, Disconnect, Effects, Stream
from server.matches.pace import Pace
from server.runtime.dispatcher import Broadcast, Kick, Output, SetLabel, Spawn
from server.runtime.match import Match
from server.runtime.players import Player
from server.runtime.run import Cause, MatchRun
from server.runtime.snapshot import Snapshot, SnapshotError

log = structlog.get_logger("lockgate.matches")


class Owner(Protocol):
    """Who keeps the running matches."""

    def keep(self, match: "RunningMatch") -> bool:
        """It is time to write the match down."""

    def relabelled(self, match: "RunningMatch") -> None:
        """The match is found by another label now."""

    def spawned(self, match: "RunningMatch", started: Spawn) -> None:
        """The match wants a function started."""

    def ended(self, match: "RunningMatch", members: Sequence[str]) -> None:
        """The match is over, and these sessions are no longer in it. Called once."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What running matches work on."""

    clock: Clock
    presences: Presences
    members: LiveMembers
    perform: Callable[[Effects], None]
    call_soon: Callable[[Callable[[], None]], object]


class RunningMatch:
    """A match on the server, `Ticking` for the scheduler."""

    def __init__(
        self,
        kind: str,
        run: MatchRun,
        stream: Stream,
        pace: Pace,
        around: Surroundings,
        owner: Owner,
        *,
        keep_every: int = 0,
    ) -> None:
        """`keep_every`: so many ticks it is to be written down; 0: never."""
        self.kind = kind
        self.run = run
        self.stream = stream
        self._pace = pace
        self._around = around
        self._owner = owner
        self._keep_every = keep_every if run.can_be_kept else 0
        self._happened: list[Callable[[], None]] = []
        """Joins and leaves that the game does not know of yet."""
        self._claimed: set[str] = set()
        """Held seats whose players are on their way back, by session id."""
        self._told_slow = False
        self._told_unkept = False
        self.over = False

    @property
    def match_id(self) -> str:
        return self.run.context.match_id

    @property
    def pace(self) -> Pace:
        return self._pace

    def begin(self, params: Mapping[str, object]) -> None:
        """Let the game code set the match up."""
        self._say(self.run.begin(params, self._now()))

    def ask(self, player: Player, metadata: Mapping[str, str]) -> str:
        """Ask whether somebody may come in; if so they must become a member at once. Returns the label.

        Raises JoinRefused and NoSuchMatch.
        """
        self.catch_up()
        seat = None if self.over else self._free_seat(player.user_id)
        if seat is not None:
            # Theirs already: the match is not asked, but told when they have their answer.
            self._claimed.add(seat.session_id)
            self._later(lambda: self._reenter(seat, player))
            return self.run.label
        if not self.over:
            verdict, said = self.run.ask(player, metadata, self._now())
            self._say(said)
            if not verdict.allowed and self.run.cause is None:
                raise JoinRefused(verdict.reason)
        if self.over:
            raise NoSuchMatch
        self._later(lambda: self._say(self.run.enter(player, self._now())))
        return self.run.label

    def left(self, session_id: str, why: Left) -> None:
        """Somebody is no member any more; the seat of who was disconnected may be held."""
        self._later(lambda: self._leave(session_id, why))

    def receive(self, session_id: str, op_code: int, data: bytes, *, reliable: bool) -> None:
        """Keep what a member sent for the next tick."""
        self.catch_up()
        if not self.over:
            self.run.take(session_id, op_code, data, reliable=reliable, now=self._now())

    def signal(self, data: str) -> str:
        """Ask the match something. Raises NoSuchMatch."""
        self.catch_up()
        if self.over:
            raise NoSuchMatch
        answer, said = self.run.signal(data, self._now())
        self._say(said)
        return answer

    def tick(self) -> bool:
        """One step of the game. False: the match is over."""
        self.catch_up()
        if not self.over:
            self._tell_pace()
            if self._pace.hopeless(self._around.clock.monotonic()):
                self.give_up(Cause.OVERLOADED)
            else:
                self._say(self.run.step(self._now()))
                if self._keep_every and self.run.context.tick % self._keep_every == 0 and not self.over:
                    self._owner.keep(self)
        return not self.over

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot, instead of `begin`."""
        self._say(self.run.restore(snapshot, self._now()))

    def replace(self, match: Match) -> None:
        """Go on with other code. Raises SnapshotError, and goes on as before."""
        self.catch_up()
        if not self.over:
            try:
                said = self.run.replace(match, self._now())
            except SnapshotError:
                self._end_if_stopped()
                raise
            self._say(said)

    def snapshot(self) -> bytes | None:
        """The match as it is; None for one that cannot be kept, or fails to say what it is."""
        self.catch_up()
        if self.over or not self.run.can_be_kept:
            return None
        try:
            return self.run.snapshot(self._now())
        except SnapshotError as error:
            if self._end_if_stopped():
                return None
            if not self._told_unkept:
                self._told_unkept = True
                log.error("match_not_kept", match_id=self.match_id, kind=self.kind, reason=str(error))
            return None

    def give_up(self, cause: Cause) -> None:
        """The server ends the match."""
        if not self.over:
            self.run.cause = cause
            self._say(())

    def stop(self, grace_s: float) -> None:
        """The server stops in so many seconds; with 0, now."""
        self.catch_up()
        if not self.over:
            self._say(self.run.stop(grace_s, self._now()))

    def catch_up(self) -> None:
        """Let the game code know of all joins and leaves."""
        while self._happened:
            happened, self._happened = self._happened, []
            for each in happened:
                if not self.over:
                    each()

    def _later(self, happened: Callable[[], None]) -> None:
        if not self._happened:
            self._around.call_soon(self.catch_up)
        self._happened.append(happened)

    def _leave(self, session_id: str, why: Left) -> None:
        if session_id not in self.run.players:
            return  # the game has put them out itself
        if why is Left.DISCONNECTED:
            self._say(self.run.drop(session_id, self._now()))
        else:
            self._say(self.run.leave([session_id], self._now()))

    def _end_if_stopped(self) -> bool:
        """End a match that had to be stopped while it was asked for its state."""
        if self.run.cause is not None and not self.over:
            self._say(())
        return self.over

    def _free_seat(self, user_id: str) -> Player | None:
        seat = self.run.seat_of(user_id)
        return None if seat is None or seat.session_id in self._claimed else seat

    def _reenter(self, seat: Player, player: Player) -> None:
        self._claimed.discard(seat.session_id)
        self._say(self.run.reenter(seat, player, self._now()))

    def _now(self) -> float:
        return self._around.clock.wall()

    # ---- what the game says

    def _say(self, said: Sequence[Output]) -> None:
        effects: Effects = []
        for output in said:
            if isinstance(output, Broadcast):
                effects.append(self._deliver(output))
            elif isinstance(output, Kick):
                # Before they go they are sent what was said before.
                self._around.perform(effects)
                effects = self._around.members.remove(self.stream, output.sessions)
            elif isinstance(output, SetLabel):
                self._owner.relabelled(self)
            elif isinstance(output, Spawn):
                self._owner.spawned(self, output)
        if effects:
            self._around.perform(effects)
        if self.run.cause is not None:
            self._end(self.run.cause)

    def _deliver(self, said: Broadcast) -> Deliver:
        sender = said.sender
        message = MatchData(
            match_id=self.run.context.match_id,
            presence=None if sender is None else _presence(sender),
            op_code=said.op_code,
            data=said.data,
            reliable=said.reliable,
        )
        if said.to is None and len(said.skip) <= 1:
            return Deliver(self.stream, message, said.skip[0] if said.skip else "", said.latest_key)
        # Not everyone whom the game knows is still a member: the game hears of a leave a little later.
        members = self._around.presences.members(self.stream)
        to = members if said.to is None else said.to
        if said.to is not None and not said.skip and all(map(members.__contains__, said.to)):
            return Deliver(said.to, message, latest_key=said.latest_key)
        there = tuple(each for each in to if each in members and each not in said.skip)
        return Deliver(there, message, latest_key=said.latest_key)

    def _tell_pace(self) -> None:
        if self._pace.slow is not self._told_slow:
            self._told_slow = self._pace.slow
            tell = log.warning if self._told_slow else log.info
            event = "match_too_slow" if self._told_slow else "match_in_time_again"
            tell(event, match_id=self.match_id, kind=self.kind, lost=self._pace.lost)

    def _end(self, cause: Cause) -> None:
        self.over = True
        self._happened.clear()
        members = tuple(self._around.presences.members(self.stream))
        self._around.members.end(self.stream)
        if self.run.error is not None:
            self._tell_failure(self.run.error)
        log.info(
            "match_ended",
            match_id=self.match_id,
            kind=self.kind,
            cause=cause.value,
            ticks=self.run.context.tick,
            ticks_lost=self._pace.lost,
            inputs_dropped=self.run.dropped,
            members=len(members),
        )
        if cause in (Cause.FAILED, Cause.MEMORY):
            self._around.perform([Disconnect(each, CloseReason.DISCONNECTED) for each in members])
        self._owner.ended(self, members)

    def _tell_failure(self, error: BaseException) -> None:
        # Its type and its lines; the text may quote what a player sent.
        log.error(
            "match_failed",
            match_id=self.match_id,
            kind=self.kind,
            tick=self.run.context.tick,
            error=type(error).__name__,
            trace=lines_of(error),
        )
        # What its frames hold, a whole match with all it has, would only go with the next full collection.
        error.__traceback__ = error.__context__ = error.__cause__ = None


def lines_of(error: BaseException) -> str:
    """Where in the code an error was raised, without its text."""
    return "".join(traceback.format_tb(error.__traceback__))


def _presence(player: Player) -> UserPresence:
    return UserPresence(user_id=player.user_id, session_id=player.session_id, username=player.username)
