"""The game's code in one server: loaded, given what it works on, called and stopped. A part of the root."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from server.clock import Clock
from server.config import Settings
from server.core.function import Caller, Function
from server.effects import Deliver, Effects
from server.game.facade import LiveServer
from server.game.fence import Fence
from server.game.hooks import GameHooks
from server.game.remote_calls import RemoteCalls
from server.ids import Ids
from server.matches.keeper import Keeper, Shelf
from server.matches.memory import MIB, MemoryScales, resident_bytes
from server.matches.pace import Patience
from server.matches.recorder import Recorder
from server.matches.registry import MatchRegistry, Rules
from server.matches.running import RunningMatch, Surroundings
from server.matches.scheduler import Scheduler
from server.matches.watchdog import Watch, Watchdog
from server.runtime.api import Storage
from server.runtime.dispatcher import Spawn
from server.runtime.game import Game
from server.runtime.hooks import Answer
from server.runtime.run import Limits
from server.sessions.notices import MATCH_ENDED, notice
from server.tasks import TaskOwner
from server.world import Connected, World

FINISH_S = 2.0


class GameHost:
    """`serve` it with the world before players come; `close` it at the end.

    `functions` are remote calls beside those of the game's modules. `shelf`: where matches are kept.
    `storage`: the game's own.
    """

    def __init__(
        self,
        game: Game,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        shelf: Shelf,
        storage: Storage,
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        runtime, matches = settings.runtime, settings.matches
        self._clock = clock
        self._ids = ids
        self._functions = functions or {}
        self._storage = storage
        self._tasks = TaskOwner("game")
        self._stop_grace_s = matches.stop_grace_s
        self.game = game
        folder = Path(matches.record_dir or Path(settings.data_dir) / "recordings")
        self.recorder = (
            Recorder(folder, matches.record_max_mb * 1024 * 1024, matches.record_keep)
            if matches.record
            else None
        )
        self._restore_age_s = matches.restore_age_s
        self.keeper = Keeper(shelf, self._tasks, max_bytes=matches.snapshot_bytes)
        self._fences = {
            kind: Fence(
                kind,
                TaskOwner(kind),
                timeout_s=runtime.rpc_timeout_s,
                concurrent=runtime.rpc_concurrent,
                on_call=lambda: self.watchdog.wake(),
            )
            for kind in ("rpc", "hook", "beside", "spawned")
        }
        self.calls = RemoteCalls(self._offered(self.game), self._fences["rpc"])
        self._sockets: Mapping[str, Connected] = {}
        self.hooks = GameHooks(
            self.game, self._fences["hook"], self._fences["beside"], lambda each: self._sockets.get(each)
        )
        self.scheduler = Scheduler(clock.monotonic, lambda delay, call: _loop().call_later(delay, call))
        self.matches = MatchRegistry(
            settings.name,
            self.game.matches,
            Rules(
                Limits(matches.input_queue_size, matches.max_empty_s, matches.reconnect_s, matches.restore_s),
                Patience(matches.catch_up_ticks, matches.overload_s),
                matches.max_matches,
                # Twice as often as asked: while one is being written, the one before is young enough.
                keep_every=(matches.snapshot_ticks + 1) // 2,
            ),
            self.scheduler,
            ids.uuid4,
            lambda: int.from_bytes(ids.key()[:8]),
            self.keeper,
            self.recorder,
        )

        memory_bytes = matches.memory_limit_mb * MIB
        self.scales = (
            MemoryScales(
                memory_bytes,
                self.scheduler,
                clock.monotonic,
                resident_bytes,
                lambda each: each if isinstance(each, RunningMatch) else None,
                gc.collect,
            )
            if memory_bytes
            else None
        )
        self.watchdog = Watchdog(
            Watch(matches.block_warning_ms / 1000, matches.callback_timeout_s, memory_bytes),
            clock.monotonic,
            lambda: len(self.matches) > 0 or any(fence.running for fence in self._fences.values()),
            resident_bytes,
            None if self.scales is None else self.scales.check,
        )

    def serve(self, world: World, perform: Callable[[Effects], None]) -> None:
        """Let the game work on this world."""
        self._sockets = world.connected
        self.watchdog.serve(lambda delay, call: _loop().call_later(delay, call))
        for fence in self._fences.values():
            fence.server = LiveServer(world, self.matches, perform, self._storage)
        self.matches.serve(
            Surroundings(
                self._clock,
                world.presences,
                world.live_members,
                perform,
                lambda call: _loop().call_soon(call),
            ),
            self._session_vars,
            self._spawn,
            lambda match, members: perform(self._tell_overload(match, members)),
        )

    async def restore(self) -> None:
        """Go on with the matches of an earlier run. Raises StorageUnavailable."""
        kept = await self.keeper.load(int(self._clock.wall() - self._restore_age_s))
        self.watchdog.wake()
        self.matches.restore(kept)

    def replace(self, game: Game) -> None:
        """Go on with other code of the same game."""
        self.calls.replace(self._offered(game))
        self.game = game
        self.hooks.replace(game)
        self.matches.replace(game.matches)

    async def drain(self, now: asyncio.Event) -> None:
        """Tell the matches that the server stops; wait until all, their time, or the wait is over (`now`)."""
        if self._stop_grace_s > 0 and len(self.matches):
            over = asyncio.Event()
            self.matches.on_empty = over.set
            self.matches.stop_all(self._stop_grace_s)
            if len(self.matches):
                waits = [self._tasks.spawn("over", over.wait()), self._tasks.spawn("now", now.wait())]
                await asyncio.wait(waits, timeout=self._stop_grace_s, return_when=asyncio.FIRST_COMPLETED)
        self.matches.close()

    async def close(self) -> None:
        """Stop every match and every call; what was begun on their behalf has a moment to finish."""
        self.matches.close()
        for kind in ("spawned", "beside"):  # results to be stored, players who have gone
            await self._fences[kind].finish(FINISH_S)
        for fence in self._fences.values():
            await fence.close()
        self.watchdog.close()
        await self.keeper.close()
        await self._tasks.cancel_all()

    @property
    def fences(self) -> Mapping[str, Fence]:
        """By what they call."""
        return self._fences

    def _offered(self, game: Game) -> Mapping[str, Function]:
        return {**{name: _answering(function) for name, function in game.rpcs.items()}, **self._functions}

    def _session_vars(self, session_id: str) -> Mapping[str, str]:
        socket = self._sockets.get(session_id)
        return {} if socket is None else socket.session_vars

    def _spawn(self, match: RunningMatch, started: Spawn) -> None:
        name = f"{match.kind}.{getattr(started.function, '__name__', '')}"
        self._fences["spawned"].start(name, lambda: started.function(*started.arguments))

    def _tell_overload(self, match: RunningMatch, members: Sequence[str]) -> Effects:
        content = {"match_id": match.match_id, "reason": "overloaded"}
        told = notice(self._ids.uuid4(), "match_ended", MATCH_ENDED, self._clock.wall(), content)
        return [Deliver(tuple(members), told)]


def _answering(function: Callable[[Caller, str], Awaitable[Answer] | Answer]) -> Function:
    """The function with its answer as text."""

    async def answer(caller: Caller, payload: str) -> str:
        answer = function(caller, payload)
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer is None or isinstance(answer, str):
            return answer or ""
        return msgspec.json.encode(answer).decode()

    return answer


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
