"""One run, as the coordinator conducts it: a crew plays, its notes become intervals, and in the end a result.

It knows neither terminals nor signals: a watcher is told of what happens, and whoever sets `stop` gets the
result of what was played so far. Cancel it to abort.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import Any, Final, Protocol

import aiohttp
import msgspec

from loadtest import pinning, threshold
from loadtest.crew import Crew
from loadtest.faces.watcher import Watcher
from loadtest.failures import SwarmError, reraise_first
from loadtest.hand import COMMAND, Patience
from loadtest.honesty import HonestyCount, own_use
from loadtest.machine import describe
from loadtest.merge import Merge
from loadtest.notes import Told
from loadtest.plan import Plan
from loadtest.probe import Reading, ServerProbe, use_between
from loadtest.result import Interval, Mark, Result
from loadtest.verdict import check_allowed, judge

SECOND_S: Final = 1.0
LOOK_S: Final = 0.3
"""Behind each second, when its samples and the server's metrics are there."""
LEAVE_S: Final = 60.0
"""For all players to be gone when a run is stopped."""
PATIENCE: Final = Patience()


class Probe(Protocol):
    async def read(self) -> Reading | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what is played; tests put in their own."""

    command: Sequence[str] = COMMAND
    patience: Patience = PATIENCE
    leave_s: float = LEAVE_S
    probe: Callable[[aiohttp.ClientSession, Plan], Probe] = lambda http, plan: ServerProbe(
        http, plan.ops, plan.server_pid
    )


MEANS: Final = Means()


async def run(plan: Plan, watch: Watcher, stop: asyncio.Event, means: Means = MEANS) -> Result:
    """The result, judged. Raises SwarmError when there is none. `watch` is ended in any case."""
    try:
        # What is asked in a wrong way is told before anybody plays.
        thresholds = [threshold.parse(text) for text in plan.thresholds]
        check_allowed(plan.allow)
        own = pinning.allowed(0)
        server = set() if plan.server_pid is None else pinning.allowed(plan.server_pid)
        plan = msgspec.structs.replace(plan, pin=pinning.choose(plan, own, server))
        machine = await asyncio.to_thread(describe, plan)
        watch.phase("starting the workers")
        async with (
            aiohttp.ClientSession() as http,
            Crew(plan, command=means.command, patience=means.patience) as crew,
        ):
            merge = Merge(plan, crew.workers, HonestyCount(plan.limits), own_use)
            merge.hear(0, Told(0, pinning.tell(plan.pin, own, server), "processors"))
            conductor = _Conductor(crew, merge, means.probe(http, plan), watch)
            begun = await conductor.play(stop, f"{plan.players} players", means.leave_s)
        machine.versions.update(conductor.versions)
        return judge(merge.result(begun=begun, machine=machine), thresholds, plan.allow)
    finally:
        watch.end()


class _Conductor:
    """Holds together what goes on at once while the players play."""

    def __init__(self, crew: Crew, merge: Merge, probe: Probe, watch: Watcher) -> None:
        self._crew = crew
        self._merge = merge
        self._probe = probe
        self._watch = watch
        self._begun_s = 0.0
        self.versions: dict[str, str] = {}
        """What the server told of its own."""
        self._coming: list[Mark] = []
        """Marks are told beforehand, and shown when their time has come."""

    async def play(self, stop: asyncio.Event, players: str, leave_s: float) -> str:
        """From the first token to the last note. Returns when it began. Raises SwarmError."""
        loop = asyncio.get_running_loop()
        self._watch.phase(f"preparing {players}")
        await _unless(stop, self._crew.prepare())
        first = await self._probe.read()
        if first is not None and first.exposition.version:
            self.versions["server"] = first.exposition.version
        begun = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._begun_s = loop.time()
        self._crew.begin()
        self._watch.phase("playing")
        try:
            async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
                besides = [
                    tasks.create_task(self._scrape(first)),
                    tasks.create_task(self._look()),
                    tasks.create_task(self._stop_when(stop, limit, leave_s)),
                ]
                async for worker, note in self._crew.notes():
                    mark = self._merge.hear(worker, note)
                    if mark is not None:
                        self._coming.append(mark)
                for task in besides:
                    task.cancel()
        except BaseExceptionGroup as group:
            reraise_first(group)
        except TimeoutError:
            raise SwarmError(f"the players had not left {leave_s:g} seconds after the stop") from None
        self._show(self._merge.finish())
        return begun

    async def _scrape(self, before: Reading | None) -> None:
        """Each second; of a server that did not answer the next reading tells the more."""
        while True:
            await self._next(0.0)
            after = await self._probe.read()
            if before is not None and after is not None:
                self._merge.read(self._now_s(), use_between(before, after))
            before = after or before

    async def _look(self) -> None:
        while True:
            await self._next(LOOK_S)
            now_s = self._now_s()
            for mark in [mark for mark in self._coming if mark.at_s <= now_s]:
                self._coming.remove(mark)
                self._watch.phase(mark.text)
            self._show(self._merge.settle(now_s))

    async def _stop_when(self, stop: asyncio.Event, limit: asyncio.Timeout, leave_s: float) -> None:
        await stop.wait()
        self._watch.phase("stopping: players leave")
        self._crew.stop()
        limit.reschedule(asyncio.get_running_loop().time() + leave_s)

    def _show(self, intervals: list[Interval]) -> None:
        for interval in intervals:
            self._watch.interval(interval)

    async def _next(self, behind_s: float) -> None:
        """Wait for the next whole second of the run, and so much longer."""
        now_s = self._now_s()
        due_s = floor(now_s - behind_s) + SECOND_S + behind_s
        await asyncio.sleep(due_s - now_s)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._begun_s


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do it, unless `stop` comes first. Raises SwarmError then, and what the work raises."""
    try:
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(work)
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopped = not working.done()
            working.cancel()
            stopping.cancel()
    except BaseExceptionGroup as group:
        reraise_first(group)
    if stopped:
        raise SwarmError("stopped before the players came")
