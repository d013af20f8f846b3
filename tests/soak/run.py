"""One soak from beginning to end: the crowd comes in, lives through its storms, is settled, and goes."""

import asyncio
import time
from collections.abc import Callable

from tests.bench.process import ServerProcess
from tests.soak.crowd import Crowd
from tests.soak.honest import Honest
from tests.soak.hostile import Flooder, HalfOpen, Hostile, Slow
from tests.soak.ledger import End
from tests.soak.plan import Kind
from tests.soak.watch import LAG, Samples, left_over, quantile_s, scrape

HOSTILE: dict[Kind, type[Hostile]] = {Kind.SLOW: Slow, Kind.FLOODER: Flooder, Kind.HALF_OPEN: HalfOpen}
TICK_S = 0.005
EMPTY_S = 60.0


class Soak:
    """`say` is given a line every `line_s` seconds."""

    def __init__(
        self, crowd: Crowd, server: ServerProcess, ops: str, say: Callable[[str], None], line_s: float = 10.0
    ) -> None:
        plan = crowd.plan
        self._crowd = crowd
        self._plan = plan
        self._server = server
        self._ops = ops
        self._say = say
        self._line_s = line_s
        kinds = plan.kinds()
        rooms = max(kinds.count(Kind.HONEST) // plan.match_size, 1)
        of = [(number, kind, f"soak-{number % rooms}") for number, kind in enumerate(kinds)]
        self._honest = [Honest(crowd, number, match) for number, kind, match in of if kind is Kind.HONEST]
        self._hostile = [HOSTILE[kind](crowd, number, match) for number, kind, match in of if kind in HOSTILE]
        self.before: Samples = {}
        self.after: Samples = {}
        """Metrics when all had come in, and when all had gone."""
        self.memory: list[tuple[float, int]] = []
        """Seconds since then, and resident bytes of the server."""
        self.late_s = 0.0
        """How late this process was at most with what it had to send: its own fault."""
        self.server_share = 0.0
        self.own_share = 0.0
        """Of a core each, while the crowd was there."""

    async def run(self) -> None:
        began = time.monotonic()
        self._say(
            f"{len(self._honest)} honest players and {len(self._hostile)} others for"
            f" {self._plan.seconds:g} s; {self._plan.rate:g} messages a second each,"
            f" matches of {self._plan.match_size}"
        )
        await asyncio.gather(*(each.enter() for each in self._honest))
        self._say(f"{len(self._honest)} honest players came in within {time.monotonic() - began:.1f} s")
        self.before = await asyncio.to_thread(scrape, self._ops)
        async with asyncio.TaskGroup() as tasks:
            hostile = [tasks.create_task(each.live()) for each in self._hostile]
            await self._live()
            for each in self._honest:
                tasks.create_task(each.drain())
            for task in hostile:
                task.cancel()
        await asyncio.gather(*(each.leave(End.CLOSED) for each in self._honest))
        await self._emptied()

    async def _live(self) -> None:
        self._began = time.monotonic()
        cpu_s, own_s = self._server.cpu_s(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            lines = tasks.create_task(self._tell())
            tasks.create_task(self._storms())
            speaking = tasks.create_task(self._speak())
            await speaking
            lines.cancel()
        elapsed = time.monotonic() - self._began
        self.server_share = (self._server.cpu_s() - cpu_s) / elapsed
        self.own_share = (time.process_time() - own_s) / elapsed

    async def _speak(self) -> None:
        """Everybody in turn, so that the messages of a match trickle in."""
        order = list(self._honest)
        self._crowd.random.shuffle(order)
        per_s, done = len(order) * self._plan.rate, 0
        while (now := time.monotonic() - self._began) < self._plan.seconds:
            due = int(now * per_s)
            self.late_s = max(self.late_s, (due - done) / per_s)
            for at in range(done, due):
                order[at % len(order)].act()
            done = due
            await asyncio.sleep(TICK_S)

    async def _storms(self) -> None:
        """The first comes after half the time between them; none in the last moments."""
        plan, chance = self._plan, self._crowd.random
        at = plan.storm_every_s / 2
        async with asyncio.TaskGroup() as tasks:
            while at < plan.seconds - plan.back_within_s:
                await asyncio.sleep(max(self._began + at - time.monotonic(), 0))
                here = [each for each in self._honest if each.visit is not None]
                gone = chance.sample(here, min(round(len(here) * plan.storm_share), len(here)))
                for number, each in enumerate(gone):
                    end = End.CLOSED if number % 2 else End.ABORTED
                    tasks.create_task(each.blink(end, chance.uniform(0, plan.back_within_s)))
                self._crowd.seen["storms"] += 1
                self._crowd.seen["honest players dropped and back"] += len(gone)
                at += plan.storm_every_s

    async def _tell(self) -> None:
        earlier, cpu_s, looked = self.before, self._server.cpu_s(), self._began
        while True:
            await asyncio.sleep(self._line_s)
            now, cpu = time.monotonic(), self._server.cpu_s()
            samples = await asyncio.to_thread(scrape, self._ops)
            self._look(samples)
            resident = self._server.rss_bytes()
            self.memory.append((now - self._began, resident))
            counts, crowd = self._crowd.ledger.counts, self._crowd
            times = crowd.recent.percentiles()
            crowd.recent = type(crowd.recent)()
            self._say(
                f"{now - self._began:6.0f} s  sockets {samples['lockgate_sockets_open']:.0f}"
                f"  sent {counts.sent}  heard {counts.delivered}"
                f"  bad {counts.missed}/{counts.duplicated}/{counts.reordered}/{counts.foreign}"
                f"  p50 {times[0] if times else 0:.1f} p99 {times[2] if times else 0:.1f} ms"
                f"  lag p99 < {quantile_s(samples, earlier, LAG, 0.99) * 1e3:g} ms"
                f"  cpu {(cpu - cpu_s) / (now - looked):.0%}"
                f"  {resident / 1024:.0f} KiB"
                f"  behind {samples['lockgate_sockets_behind']:.0f}"
                f" with {samples['lockgate_outgoing_unsent_bytes'] / 1024:.0f} KiB"
                f"  faults {crowd.faults.total()}"
            )
            earlier, cpu_s, looked = samples, cpu, now

    def _look(self, samples: Samples) -> None:
        unsent, behind = samples["lockgate_outgoing_unsent_bytes"], samples["lockgate_sockets_behind"]
        if unsent > behind * self._plan.limit_bytes:
            self._crowd.faults["more was unsent than the budgets of those who were behind"] += 1

    async def _emptied(self) -> None:
        """The metrics once nothing is left, or after a while."""
        deadline = time.monotonic() + EMPTY_S
        while True:
            self.after = await asyncio.to_thread(scrape, self._ops)
            if not left_over(self.after) or time.monotonic() > deadline:
                return
            await asyncio.sleep(0.1)
