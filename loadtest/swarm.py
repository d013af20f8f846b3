"""A run from beginning to end: players come in over the ramp, meet, act on schedule, and leave.

One loop drives all players: no task and no timer belongs to a player. `stop` ends any phase early; the result
then holds what was measured so far.
"""

import asyncio
import gc
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

import aiohttp

from loadtest.failures import SwarmError, reraise_first
from loadtest.histogram import Histogram
from loadtest.ledger import Tally
from loadtest.login import Login, Logins
from loadtest.options import Options
from loadtest.player import REPLY_TIMEOUT_S, Player, State
from loadtest.probe import Probe, Usage
from loadtest.report import Result
from loadtest.scenarios.idle import Idle
from loadtest.scenarios.relay import Relay
from loadtest.schedule import NS, Schedule
from protocol.message import Message

COMING_IN_AT_ONCE: Final = 64
HEARTBEATS_PER_S: Final = 0.1
TICK_S: Final = 0.001
PROGRESS_S: Final = 1.0
STOP_CHECK_S: Final = 0.1
SETTLE_S: Final = 5.0
SETTLE_STEP_S: Final = 0.01
LEAVE_S: Final = 3.0
HTTP_TIMEOUT_S: Final = 30.0


class Scenario(Protocol):
    """What the players do; see `scenarios/`."""

    rate: float

    async def gather(self, players: Sequence[Player]) -> None: ...
    def act(self, player: int, intended_ns: int) -> None: ...
    def on_message(self, player: Player, message: Message, at_ns: int) -> None: ...
    def is_settled(self) -> bool: ...
    def tally(self) -> Tally: ...


class Swarm:
    """One run with `options`. `say` gets the progress, a line a second."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._random = Random(options.seed)
        self._sockets: list[Player] = []
        """All that were ever begun."""
        self._players: list[Player] = []
        """Those that are connected, by number."""
        self._dropped: Counter[str] = Counter()
        self._sign_in, self._bridge, self._connect = Histogram(), Histogram(), Histogram()
        self._slip = Histogram()
        self._measured_s = 0.0
        self._own_cpu_s = 0.0
        self._before: Usage | None = None
        self._after: Usage | None = None
        self._all_in = asyncio.Event()
        self._stopped = asyncio.Event()
        self._relay: Relay | None = None
        self._scenario: Scenario = Idle()
        if options.scenario == "relay":
            self._relay = Relay(options.match_size, options.rate, time.monotonic_ns)
            self._scenario = self._relay

    def stop(self) -> None:
        """End the run as soon as possible; its result is still made."""
        self._stopped.set()

    async def run(self) -> Result:
        """Raises SwarmError when the players could not be brought in."""
        timeout = aiohttp.ClientTimeout(total=HTTP_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=2 * COMING_IN_AT_ONCE)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http:
            try:
                await self._come_in(Logins(http, self._options))
                if not self._stopped.is_set():
                    self._say(f"{len(self._players)} players connected; meeting")
                    await self._scenario.gather(self._players)
                    await self._measure(Probe(http, self._options.ops, self._options.server_pid))
            except BaseExceptionGroup as group:
                reraise_first(group)
            finally:
                await self._leave()
        return self._result()

    # Players hear.

    def on_message(self, player: Player, message: Message, at_ns: int) -> None:
        self._scenario.on_message(player, message, at_ns)

    def on_dropped(self, _player: Player, reason: str) -> None:
        self._dropped[reason] += 1

    # The phases.

    async def _come_in(self, logins: Logins) -> None:
        await logins.prepare()
        total = self._options.players
        begun = time.monotonic()
        arrivals = iter(range(total))

        async def bring_in_turn() -> None:
            for number in arrivals:
                due = begun + self._options.ramp_s * number / total
                await self._wait(due - time.monotonic())
                if self._stopped.is_set():
                    return
                await self._bring_in(number, logins, round(due * NS))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(COMING_IN_AT_ONCE, total)):
                group.create_task(bring_in_turn())
            group.create_task(self._tell_arrivals())
        self._players.sort(key=lambda player: player.number)

    async def _bring_in(self, number: int, logins: Logins, due_ns: int) -> None:
        login = await logins.login(f"swarm-{self._options.seed}-{number}", due_ns)
        self._sign_in.record(login.issuer_us)
        self._bridge.record(login.bridge_us)
        begun = time.monotonic_ns()
        player = await self._open_socket(number, login)
        self._connect.record((time.monotonic_ns() - begun) // 1000)
        self._players.append(player)
        if len(self._players) == self._options.players:
            self._all_in.set()

    async def _tell_arrivals(self) -> None:
        while not self._all_in.is_set() and not self._stopped.is_set():
            try:
                async with asyncio.timeout(PROGRESS_S):
                    await self._all_in.wait()
            except TimeoutError:
                self._say(f"{len(self._players)} of {self._options.players} players connected")

    async def _open_socket(self, number: int, login: Login) -> Player:
        url = urlsplit(self._options.url)
        secure = ssl.create_default_context() if url.scheme == "https" else None
        query = urlencode(
            {"token": login.token, "format": self._options.form.name.lower(), "status": "false"}
        )
        handshake = (url.netloc, f"{url.path}/ws?{query}")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                _, player = await loop.create_connection(
                    lambda: self._make(number, handshake),
                    url.hostname or "",
                    url.port or (443 if secure else 80),
                    ssl=secure,
                )
                await player.opened
        except (OSError, TimeoutError) as error:
            raise SwarmError(f"the server lets no socket in: {type(error).__name__}") from None
        return player

    def _make(self, number: int, handshake: tuple[str, str]) -> Player:
        player = Player(number, self, handshake, self._random, form=self._options.form)
        self._sockets.append(player)
        return player

    async def _measure(self, probe: Probe) -> None:
        # What lives until the end need not be looked at again and again by the collector meanwhile.
        gc.collect()
        gc.freeze()
        self._before = await probe.read()
        begun, cpu = time.monotonic(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._act())
            tasks.create_task(self._tell_progress(begun))
        self._measured_s = time.monotonic() - begun
        self._own_cpu_s = time.process_time() - cpu
        await self._settle()
        self._after = await probe.read()
        gc.unfreeze()

    async def _act(self) -> None:
        """Carry out the schedules until the duration is over, or nobody is left."""
        options, count = self._options, len(self._players)
        start = time.monotonic_ns()
        until = start + round(options.duration_s * NS)
        plans: list[tuple[Schedule, Callable[[int, int], None]]] = [
            (Schedule(count, HEARTBEATS_PER_S, start, options.seed), self._heartbeat)
        ]
        if self._scenario.rate:
            plans.append((Schedule(count, self._scenario.rate, start, options.seed), self._act_of))
        while not self._stopped.is_set():
            now = time.monotonic_ns()
            for schedule, act in plans:
                for player, intended in schedule.due(min(now, until - 1)):
                    act(player, intended)
            if now >= until or self._all_dropped():
                break
            wait = min(until, *(schedule.next_ns() for schedule, _ in plans)) - time.monotonic_ns()
            await asyncio.sleep(min(max(wait / NS, TICK_S), STOP_CHECK_S))
        self._stopped.set()

    def _all_dropped(self) -> bool:
        return self._dropped.total() >= len(self._players)

    def _heartbeat(self, player: int, _intended_ns: int) -> None:
        self._players[player].ping()

    def _act_of(self, player: int, intended_ns: int) -> None:
        self._slip.record((time.monotonic_ns() - intended_ns) // 1000)
        self._scenario.act(player, intended_ns)

    async def _tell_progress(self, begun: float) -> None:
        last = self._scenario.tally()
        second = 0
        while not self._stopped.is_set():
            second += 1
            await self._wait(begun + second * PROGRESS_S - time.monotonic())
            if self._stopped.is_set():
                return
            tally = self._scenario.tally()
            sent, delivered = tally.sent - last.sent, tally.delivered - last.delivered
            self._say(
                f"{second:>4} s  connected {len(self._players) - self._dropped.total()}"
                f"  sent {sent}/s  delivered {delivered}/s  outstanding {tally.lost}"
                f"  duplicated {tally.duplicated}  reordered {tally.reordered}  wrong {tally.wrong}"
                + self._latency_so_far()
            )
            last = tally

    def _latency_so_far(self) -> str:
        figures = self._relay.response.percentiles() if self._relay else ()
        return f"  p50 {figures[0]:.1f} ms  p99 {figures[2]:.1f} ms" if figures else ""

    async def _wait(self, seconds: float) -> None:
        """Sleep, but not past a stop."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._stopped.wait()
        except TimeoutError:
            return

    async def _settle(self) -> None:
        """Wait for what is still on its way."""
        for _ in range(round(SETTLE_S / SETTLE_STEP_S)):
            if self._scenario.is_settled() or self._all_dropped():
                return
            await asyncio.sleep(SETTLE_STEP_S)

    async def _leave(self) -> None:
        for player in self._sockets:
            player.leave()
        left = [player.closed for player in self._sockets if player.state is not State.OPENING]
        if left:
            await asyncio.wait(left, timeout=LEAVE_S)
        for player in self._sockets:
            player.abort()
        await asyncio.gather(*(player.closed for player in self._sockets))

    def _result(self) -> Result:
        latencies = {"sign-in (issuer)": self._sign_in, "bridge": self._bridge, "connect": self._connect}
        if self._relay is not None:
            latencies["delivery (response)"] = self._relay.response
            latencies["delivery (service)"] = self._relay.service
        return Result(
            tally=self._scenario.tally(),
            latencies=latencies,
            slip=self._slip,
            connected=len(self._players),
            measured_s=self._measured_s,
            stopped_early=self._measured_s < self._options.duration_s,
            refused=self._relay.refused if self._relay else 0,
            dropped=self._dropped,
            before=self._before,
            after=self._after,
            own_cpu_s=self._own_cpu_s,
        )
