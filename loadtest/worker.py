"""One worker's part of a run: gets ready, lets its players play, tells each second what came of it."""

import asyncio
import gc
import os
import time
from collections import Counter
from collections.abc import Callable
from itertools import count, takewhile
from random import Random
from typing import Final

import aiohttp

from loadtest.common import Common
from loadtest.crowd import Crowd, name_of, numbers
from loadtest.dial import Address, Dialer, reach
from loadtest.failures import reraise_first
from loadtest.ledger import Ledger
from loadtest.notes import Begin, Done, Note, Ready, Sample, Share, Stop, Told
from loadtest.own_use import OwnUseWatch
from loadtest.pacer import NS, Pacer
from loadtest.plan import Plan
from loadtest.profile import course
from loadtest.scenario import find, settings_of
from loadtest.shortages import Shortages
from loadtest.sign_in.bridge import Bridge
from loadtest.sign_in.ways import SignIn, sign_in_of
from loadtest.takeovers import Takeovers
from loadtest.timings import Timings

SAMPLE_S: Final = 1.0
GATHER_S: Final = 0.05
"""So often what was timed is put together: all of a second's at once would make acts late."""
HTTP_S: Final = 30.0
LATE_S: Final = 30.0
"""So long after its end a run waits for players who cannot leave."""


class Worker:
    """Plays `share` of the plan. `tell` must not block."""

    def __init__(self, plan: Plan, share: Share, tell: Callable[[Note], None]) -> None:
        """Raises SwarmError when the scenario or its settings make no sense."""
        self._plan = plan
        self._share = share
        self._tell = tell
        self._scenario = find(plan.scenario)
        self._settings = settings_of(self._scenario, plan.settings)
        self._course = course(plan)
        self._watch = OwnUseWatch()
        self._shortages = Shortages()
        self._counted: Counter[str] = Counter()

    async def run(self, orders: asyncio.Queue[Begin | Stop]) -> None:
        """Tells Ready, waits for Begin, plays, tells Samples and at last Done. Raises SwarmError."""
        # Arrivals are open: the client must not make them wait for each other.
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=HTTP_S),
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[self._shortages.trace()],
        ) as http:
            sign_in = sign_in_of(self._plan, http)
            groups = numbers(self._plan.players, self._settings.group_size, self._share)
            names = [name_of(self._plan.seed, number) for group in groups for number in group]
            address = await reach(self._plan.url)
            await sign_in.prepare(names)
            common = self._common(http, sign_in, address)
            crowd = Crowd(common, self._scenario, self._share)
            # What lives until the end need not be looked at again and again by the collector meanwhile.
            gc.collect()
            gc.freeze()
            try:
                self._tell(Ready())
                if isinstance(await orders.get(), Stop):
                    self._tell(Done(0.0, 0.0, stopped_early=True))
                else:
                    await self._play(common, crowd, orders)
            finally:
                common.pacer.close()
                gc.unfreeze()

    def _common(self, http: aiohttp.ClientSession, sign_in: SignIn, address: Address) -> Common:
        plan, random = self._plan, Random(f"{self._plan.seed}/{self._share.worker}")
        timings, ledger = Timings(), Ledger()
        return Common(
            plan=plan,
            settings=self._settings,
            name=os.urandom(4).hex(),
            run=os.urandom(1)[0],
            random=random,
            pacer=Pacer(self._watch.slip.record),
            timings=timings,
            ledger=ledger,
            dialer=Dialer(plan, address, timings, random, self._shortages),
            sign_in=sign_in,
            bridge=Bridge(http, plan.url, plan.server_key),
            takeovers=Takeovers(ledger, timings),
            tell=self._told,
        )

    def _told(self, at_s: float, text: str, name: str) -> None:
        self._tell(Told(at_s, text, name))

    async def _play(self, common: Common, crowd: Crowd, orders: asyncio.Queue[Begin | Stop]) -> None:
        common.begin(self._course)
        self._watch.start(asyncio.get_running_loop().call_later)
        stopped = False
        for at_s, text in self._course.marks if self._share.worker == 0 else ():
            self._tell(Told(at_s, text))
        try:
            async with asyncio.TaskGroup() as tasks:
                sampling = tasks.create_task(self._tell_samples(common))
                stopping = tasks.create_task(self._stop_when_told(orders, crowd))
                playing = tasks.create_task(crowd.play())
                await asyncio.wait(
                    (playing, stopping), timeout=self._left_s(common), return_when=asyncio.FIRST_COMPLETED
                )
                if not playing.done():  # stopped: the end is nearer
                    await asyncio.wait((playing,), timeout=self._left_s(common))
                if playing.cancel():
                    common.error("players could not leave in time")
                stopped = stopping.done()
                sampling.cancel()
                stopping.cancel()
        except BaseExceptionGroup as group:
            reraise_first(group)
        finally:
            crowd.abort()
            self._watch.stop()
        await self._sample(common, last=True)
        from_s, until_s = self._course.measured_from_s, min(self._course.until_s, common.at_s())
        self._tell(Done(from_s, max(until_s - from_s, 0.0), stopped, self._settings.measures))

    def _left_s(self, common: Common) -> float:
        """Until players who cannot leave are given up."""
        return max((common.until_ns - time.monotonic_ns()) / NS + LATE_S, 0.0)

    async def _stop_when_told(self, orders: asyncio.Queue[Begin | Stop], crowd: Crowd) -> None:
        while not isinstance(await orders.get(), Stop):
            pass
        crowd.stop()

    async def _tell_samples(self, common: Common) -> None:
        # One is cut where the load ends: what comes behind it is no part of what is measured.
        end_s = self._course.until_s
        seconds = (SAMPLE_S * number for number in count(1))
        for due_s in takewhile(lambda at_s: at_s < end_s, seconds):
            await self._sample_at(common, due_s)
        for late_s in count():
            await self._sample_at(common, end_s + SAMPLE_S * late_s)

    async def _sample_at(self, common: Common, due_s: float) -> None:
        due_ns = common.begun_ns + round(due_s * NS)
        while (left_ns := due_ns - time.monotonic_ns()) > 0:
            await asyncio.sleep(min(left_ns / NS, GATHER_S))
            common.timings.gather()
            self._watch.gather()
        await self._sample(common)

    async def _sample(self, common: Common, *, last: bool = False) -> None:
        now_ns = time.monotonic_ns()
        common.takeovers.sweep(now_ns, last=last)
        common.ledger.sweep(now_ns, last=last)
        truth, own = common.ledger.truth(), self._watch.take()
        ledger = {"sent": truth.sent, "delivered": truth.delivered, "written_off": common.ledger.written_off}
        counts = Counter({**common.counts, **ledger})
        new = counts - self._counted
        self._counted = counts
        at_s, connected, errors = common.at_s(), common.dialer.connected, dict(common.errors)
        common.errors.clear()
        self._tell(
            Sample(
                at_s=at_s,
                connected=connected,
                most_connected=common.dialer.take_most_connected(),
                counts=dict(new),
                errors=errors,
                timings=await common.timings.take(),
                truth=truth,
                cpu_s=own.cpu_s,
                lag=own.lag,
                slip=own.slip,
                gc_max_ms=own.gc_max_ms,
                short_of=self._shortages.take(),
            )
        )
