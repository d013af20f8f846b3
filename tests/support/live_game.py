"""Matches that the server runs, without a server: the registry, and a clock moved by hand."""

import asyncio
import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.messages import UserPresence
from server.core.live_match import LiveMembers
from server.core.presence import Presences
from server.effects import Effects
from server.matches.keeper import Keeper, KeptMatch, Unavailable
from server.matches.registry import MatchRegistry, Rules
from server.matches.running import RunningMatch, Surroundings
from server.matches.scheduler import Scheduler
from server.runtime.match import Match
from server.tasks import TaskOwner
from tests.support.clock import ManualClock


@dataclass(eq=False)
class Timer:
    call: Callable[[], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Loop:
    """Timers that fire when the clock is moved, and calls that wait for the next turn."""

    clock: ManualClock
    soon: list[Callable[[], None]] = field(default_factory=list)
    timers: list[tuple[float, int, Timer]] = field(default_factory=list)

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        heapq.heappush(self.timers, (self.clock.monotonic() + delay, len(self.timers), timer))
        return timer

    def turn(self) -> None:
        """Everything that waits for the next turn."""
        waiting, self.soon = self.soon, []
        for call in waiting:
            call()

    def advance(self, seconds: float) -> None:
        """Let time pass: timers fire when they are due, with a turn before each."""
        until = self.clock.monotonic() + seconds
        self.turn()
        while self.timers and self.timers[0][0] <= until:
            at, _, timer = heapq.heappop(self.timers)
            self.clock.advance(max(0.0, at - self.clock.monotonic()))
            if not timer.cancelled:
                self.turn()
                timer.call()
        self.clock.advance(until - self.clock.monotonic())
        self.turn()


class MemoryShelf:
    """Snapshots in memory, taken when nothing is `broken`."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptMatch] = {}
        self.broken = False
        self.puts = 0

    async def put(self, kept: Sequence[KeptMatch], gone: Sequence[str]) -> None:
        self.puts += 1
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable
        self.kept.update((each.match_id, each) for each in kept)
        for match_id in gone:
            self.kept.pop(match_id, None)

    async def load(self, newer_than: int) -> Sequence[KeptMatch]:
        return [each for each in self.kept.values() if each.taken_at >= newer_than]


class LiveGame:
    """A registry with these kinds of matches; `performed` is what it asked for, in order."""

    def __init__(self, *kinds: type[Match], rules: Rules | None = None) -> None:
        self.clock = ManualClock()
        self.loop = Loop(self.clock)
        self.presences = Presences()
        self.performed: Effects = []
        self.spawned: list[tuple[str, str]] = []
        self.overloaded: list[tuple[str, tuple[str, ...]]] = []
        self._ids = 0
        self.shelf = MemoryShelf()
        self.tasks = TaskOwner("keeper")
        self.keeper = Keeper(self.shelf, self.tasks, max_bytes=10_000)
        scheduler = Scheduler(self.clock.monotonic, self.loop.call_later)
        self.registry = MatchRegistry(
            "node1",
            {kind.__name__: kind for kind in kinds},
            rules or Rules(),
            scheduler,
            self._new_id,
            lambda: 7,
            self.keeper,
        )
        self.members = LiveMembers(self.presences, 10, self.registry.left)
        self.registry.serve(
            Surroundings(
                self.clock, self.presences, self.members, self.performed.extend, self.loop.call_soon
            ),
            lambda session_id: {"session": session_id},
            lambda match, started: self.spawned.append((match.match_id, str(started.arguments))),
            lambda match, members: self.overloaded.append((match.match_id, tuple(members))),
        )

    def create(self, kind: type[Match], **params: object) -> RunningMatch:
        """A running match."""
        return self.registry.matches[self.registry.create(kind.__name__, params)]

    async def join(
        self, player: UserPresence, match: RunningMatch, metadata: Mapping[str, str] | None = None
    ) -> None:
        """What the handler of `match_join` does. Its effects are performed."""
        label = await self.registry.join(player, match.match_id, metadata or {})
        self.performed += self.members.enter(player, match.stream, match.match_id, label)

    def leave(self, player: UserPresence, match: RunningMatch) -> None:
        """What the handler of `match_leave` does."""
        self.performed += self.members.leave(player, match.stream)

    def run_to(self, match: RunningMatch, tick: int) -> None:
        """Let time pass until a match has run so many ticks; when the first is due, the scheduler says."""
        while match.run.context.tick < tick:
            self.loop.advance(0.001)

    def take(self) -> Effects:
        """What was performed since last asked."""
        performed = list(self.performed)
        self.performed.clear()
        return performed

    def _new_id(self) -> str:
        self._ids += 1
        return f"77777777-7777-4777-8777-{self._ids:012d}"
