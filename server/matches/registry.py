"""Every match that the server runs: made, found, joined, asked, and stopped with all others.

Implements the port `LiveMatches` of `world.py`. What goes on in a match is `running.py`'s business.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from protocol.messages import MatchDataSend, UserPresence
from server.core.live_match import Left, LiveMatch, MatchFilter, NoSuchMatch, live_stream
from server.core.match_index import MatchIndex
from server.matches.keeper import Keeper, KeptMatch
from server.matches.pace import Pace, Patience
from server.matches.recorder import Recorder, Recording, header_of
from server.matches.running import RunningMatch, Surroundings, lines_of
from server.matches.scheduler import Scheduler
from server.runtime.context import Context
from server.runtime.dispatcher import Spawn
from server.runtime.guard import Stopped, Subject, guarded
from server.runtime.journal import RecordedRun
from server.runtime.match import Match
from server.runtime.players import Player
from server.runtime.run import Cause, Limits, MatchRun
from server.runtime.snapshot import SnapshotError, decode

log = structlog.get_logger("lockgate.matches")

LOOKED_AT_ONCE = 200
"""Matches that a listing looks at before others have their turn."""


class CannotCreate(Exception):
    """No match can be made, and why."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`max_matches`: running at once. `keep_every`: ticks from one snapshot to the next, 0: none."""

    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    max_matches: int = 10_000
    keep_every: int = 0


class MatchRegistry:
    """The running matches of one server. Call `serve` before anything is created."""

    def __init__(
        self,
        node: str,
        kinds: Mapping[str, type[Match]],
        rules: Rules,
        scheduler: Scheduler,
        new_id: Callable[[], str],
        new_seed: Callable[[], int],
        keeper: Keeper,
        recorder: Recorder | None = None,
    ) -> None:
        """`recorder`: writes every match down, if there is one."""
        self._node = node
        self.kinds = kinds
        """The classes of matches by name; may be replaced."""
        self._rules = rules
        self._scheduler = scheduler
        self._new_id = new_id
        self._new_seed = new_seed
        self._keeper = keeper
        self._recorder = recorder
        self._recordings: dict[str, Recording] = {}
        self._around: Surroundings
        self._session_vars: Callable[[str], Mapping[str, str]]
        self._spawn: Callable[[RunningMatch, Spawn], None]
        self._overloaded: Callable[[RunningMatch, Sequence[str]], None]
        self._matches: dict[str, RunningMatch] = {}
        self._index = MatchIndex(self._size_of)
        self.accepting = True
        """Whether matches can be made."""
        self.on_empty: Callable[[], None] | None = None
        """Called when the last match has ended."""
        self.created = 0
        self.restored = 0
        self.dropped = 0
        """Inputs of matches that have ended which found no room."""
        self.ended_by: Counter[Cause] = Counter(dict.fromkeys(Cause, 0))

    def __len__(self) -> int:
        return len(self._matches)

    def serve(
        self,
        around: Surroundings,
        session_vars: Callable[[str], Mapping[str, str]],
        spawn: Callable[[RunningMatch, Spawn], None],
        overloaded: Callable[[RunningMatch, Sequence[str]], None],
    ) -> None:
        """Say what the matches work on.

        `session_vars` are those of a session. `spawn` starts a function for a match. `overloaded` tells
        sessions that their match was ended because it was too slow.
        """
        self._around = around
        self._session_vars = session_vars
        self._spawn = spawn
        self._overloaded = overloaded

    @property
    def matches(self) -> Mapping[str, RunningMatch]:
        """By id; a live view."""
        return self._matches

    @property
    def inputs_dropped(self) -> int:
        """Messages of players that found no room."""
        return self.dropped + sum(match.run.dropped for match in self._matches.values())

    def create(self, kind: str, params: Mapping[str, object]) -> str:
        """Begin a match of the class with this name. Returns its id. Raises CannotCreate."""
        game = self.kinds.get(kind)
        if game is None:
            raise CannotCreate(f"there is no match {kind!r}")
        if not self.accepting:
            raise CannotCreate("the server stops")
        if len(self._matches) >= self._rules.max_matches:
            log.warning("matches_full", matches=len(self._matches), setting="matches.max_matches")
            raise CannotCreate("too many matches run")
        match = self._new(f"{self._new_id()}.{self._node}", kind, game, self._new_seed())
        self.created += 1
        log.info("match_created", match_id=match.match_id, kind=kind, tick_rate=game.tick_rate)
        match.begin(params)
        if match.run.error is not None:
            raise CannotCreate(f"{kind} failed to begin")
        if not match.over:
            self._scheduler.add(match)
        return match.match_id

    def restore(self, kept: Sequence[KeptMatch]) -> None:
        """Go on with matches of an earlier run. One that cannot be is logged, and stays kept."""
        for each in kept:
            game = self.kinds.get(each.kind)
            try:
                if game is None:
                    raise SnapshotError("there is no such match any more")
                self._restore(each, game)
            except (SnapshotError, CannotCreate) as error:
                log.error("match_not_restored", match_id=each.match_id, kind=each.kind, reason=str(error))

    def replace(self, kinds: Mapping[str, type[Match]]) -> None:
        """Make matches of these classes from now on; those that run go on with the new code if they can."""
        self.kinds = kinds
        for match in tuple(self._matches.values()):
            game = kinds.get(match.kind)
            if game is None or match.run.is_of(game):
                continue
            try:
                match.replace(guarded(Subject(match.kind, match.match_id), game))
            except (Exception, Stopped) as error:  # the game's own constructor, or a state that does not fit
                reason = str(error) if isinstance(error, SnapshotError) else type(error).__name__
                log.warning("match_runs_old_code", match_id=match.match_id, kind=match.kind, reason=reason)

    def _new(self, match_id: str, kind: str, game: type[Match], seed: int) -> RunningMatch:
        stream = live_stream(match_id)
        if stream is None:
            raise CannotCreate(f"{match_id} is no id of a match")
        context = Context(match_id, self._node, game.tick_rate, seed)
        try:
            run = self._run(guarded(Subject(kind, match_id), game), context)
        except (Exception, Stopped) as error:  # the game's own constructor
            log.error("match_not_created", kind=kind, error=type(error).__name__, trace=lines_of(error))
            raise CannotCreate(f"{kind} failed to begin") from error
        # Its first tick is a step away, so that whoever made it has the time to say where it is.
        pace = Pace(game.tick_rate, self._scheduler.first_due(game.tick_rate), self._rules.patience)
        match = RunningMatch(kind, run, stream, pace, self._around, self, keep_every=self._rules.keep_every)
        self._matches[match_id] = match
        listed = LiveMatch(match_id, "", 0, game.tick_rate, kind)
        self._index.add(listed, create_time=int(self._around.clock.wall() * 1000))
        return match

    def _run(self, match: Match, context: Context) -> MatchRun:
        limits = self._rules.limits
        if self._recorder is None:
            return MatchRun(match, context, limits)
        recording = self._recorder.open(header_of(match, context, limits))
        if recording is None:
            return MatchRun(match, context, limits)
        self._recordings[context.match_id] = recording
        return RecordedRun(match, context, limits, recording)

    def _restore(self, kept: KeptMatch, game: type[Match]) -> None:
        snapshot = decode(kept.data)
        match = self._new(kept.match_id, kept.kind, game, snapshot.seed)
        try:
            match.restore(snapshot)
        except SnapshotError:
            del self._matches[match.match_id]
            self._index.remove(match.match_id)
            self._end_recording(match)
            raise
        if match.over:
            return
        self._index.relabel(match.match_id, match.run.label)
        self._scheduler.add(match)
        self.restored += 1
        log.info("match_restored", match_id=match.match_id, kind=kept.kind, tick=snapshot.tick)

    def signal(self, match_id: str, data: str) -> str:
        """Ask a match something. Raises NoSuchMatch."""
        return self._match(match_id).signal(data)

    def get(self, match_id: str) -> LiveMatch:
        """A match as a listing shows it. Raises NoSuchMatch."""
        found = self._index.get(match_id)
        if found is None:
            raise NoSuchMatch
        return found

    def stop_all(self, grace_s: float) -> None:
        """Make no more matches. Those that can be are kept and stop; the others have so many seconds."""
        self.accepting = False
        for match in tuple(self._matches.values()):
            match.stop(0 if self.keep(match) else grace_s)

    def close(self) -> None:
        """Stop every match at once."""
        self.stop_all(0)
        self._scheduler.close()

    # ---- the port of handlers

    async def find(self, wanted: MatchFilter) -> Sequence[LiveMatch]:
        search = self._index.search(wanted)
        while search.look(LOOKED_AT_ONCE):  # noqa: ASYNC110  # `look` is the work, not a condition
            await asyncio.sleep(0)  # others have their turn; nothing is waited for
        return search.found()

    async def join(self, me: UserPresence, match_id: str, metadata: Mapping[str, str]) -> str:
        player = Player(me.user_id, me.session_id, me.username, self._session_vars(me.session_id))
        return self._match(match_id).ask(player, metadata)

    def label(self, match_id: str) -> str:
        return self._match(match_id).run.label

    def receive(self, me: UserPresence, message: MatchDataSend) -> None:
        match = self._matches.get(message.match_id)
        if match is None:
            stream = live_stream(message.match_id)  # an id may be spelled in capitals
            match = None if stream is None else self._matches.get(f"{stream.subject}.{stream.label}")
        if match is not None:
            match.receive(me.session_id, message.op_code, message.data, reliable=message.reliable)

    def left(self, me: UserPresence, match_id: str, why: Left) -> None:
        match = self._matches.get(match_id)
        if match is not None:
            match.left(me.session_id, why)

    # ---- told by the matches

    def keep(self, match: RunningMatch) -> bool:
        """Write a match down. False for one that cannot be kept."""
        data = match.snapshot()
        if data is None:
            return False
        taken_at = int(self._around.clock.wall())
        return self._keeper.keep(KeptMatch(match.match_id, match.kind, taken_at, data))

    def relabelled(self, match: RunningMatch) -> None:
        self._index.relabel(match.match_id, match.run.label)

    def spawned(self, match: RunningMatch, started: Spawn) -> None:
        self._spawn(match, started)

    def ended(self, match: RunningMatch, members: Sequence[str]) -> None:
        cause = match.run.cause
        if cause is None:
            raise AssertionError("a match that ends has a cause")
        self._matches.pop(match.match_id, None)
        self._index.remove(match.match_id)
        self._scheduler.remove(match)
        self._end_recording(match)
        if cause is not Cause.STOPPED:
            self._keeper.forget(match.match_id)
        self.ended_by[cause] += 1
        self.dropped += match.run.dropped
        if cause is Cause.OVERLOADED:
            self._overloaded(match, members)
        if not self._matches and self.on_empty is not None:
            self.on_empty()

    def _end_recording(self, match: RunningMatch) -> None:
        recording = self._recordings.pop(match.match_id, None)
        if recording is not None:
            recording.close()

    def _match(self, match_id: str) -> RunningMatch:
        match = self._matches.get(match_id)
        if match is None:
            raise NoSuchMatch
        return match

    def _size_of(self, match_id: str) -> int:
        match = self._matches.get(match_id)
        return 0 if match is None else len(self._around.presences.members(match.stream))
