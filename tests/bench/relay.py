"""How many relayed matches of ten one core holds: every member sends so often, and 99 % arrive within 20 ms.

The schedule is open, with phases by chance: a message that leaves late counts from when it was due. Half of
the members put that time into their data, one of each match reads it; of all the rest only bytes are
counted, and all have to arrive.
"""

import asyncio
import base64
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

import orjson

from protocol.frames import extent
from server.tasks import TaskOwner
from tests.bench.load import Client, client_frame, connect, quiet, reset
from tests.bench.process import ServerProcess
from tests.bench.report import say

SIZE = 10
PAYLOAD_BYTES = 64
TICK_S = 0.002
WARM_S, FOR_S, DRAINED_S = 2.0, 5.0, 1.0
P99_S = 0.020
BUSY, LATE_S = 0.95, 0.005
"""Of its core, and between two of its ticks 99 times in 100: a load beyond tells nothing of the server."""
NO_PINGS = {"LOCKGATE_SOCKET__PING_INTERVAL_S": "24"}
"""So that all bytes are messages."""
READER = 1
FIRST, STEP = 40, 5
RATES = (20, 10)
TRADE_MATCHES, TRADE_RATE, PAUSES_MS = 30, 20, (0, 2, 5)
MARK = base64.b64encode(b"at:").decode()
STAMPED = re.compile(rb'"data":"(' + re.escape(MARK.encode()) + rb'[A-Za-z0-9+/=]{84})"')
Join = Callable[[Client, str], Awaitable[tuple[str, object]]]


@dataclass(frozen=True, slots=True)
class Held:
    """What one load came to; times in seconds, CPU in microseconds of the server for each delivery."""

    matches: int
    cpu_us: float
    deliveries_s: float
    share: float
    """Of what was due to arrive, how much did."""
    p50_s: float
    p99_s: float
    samples: int
    load_busy: float
    load_late_s: float

    @property
    def holds(self) -> bool:
        return self.p99_s < P99_S and self.share == 1

    @property
    def starved(self) -> bool:
        """The load was the bottleneck, and not the server."""
        return self.load_busy > BUSY or self.load_late_s > LATE_S

    def __str__(self) -> str:
        starved = "" if self.share == 1 else f"  ({self.share:.2%} arrived)"
        starved += "  (the load was the bottleneck)" if self.starved else ""
        return (
            f"{self.matches:>5} matches {self.deliveries_s:>10,.0f}/s {self.cpu_us:>7.2f} us"
            f" {self.p50_s * 1e3:>8.1f} {self.p99_s * 1e3:>8.1f} ms{starved}"
        )


def stamped(at_s: float) -> bytes:
    """The payload as base64, with a time in it."""
    return base64.b64encode(f"at:{at_s:020.9f}".ljust(PAYLOAD_BYTES).encode())


class Relay:
    """Matches of ten whose members send `rate` times a second each."""

    def __init__(self, rooms: Sequence[Sequence[Client]], ids: Sequence[str], rate: int) -> None:
        self._members = [
            (client, number, seat % 2 == 0)
            for number, room in enumerate(rooms)
            for seat, client in enumerate(room)
        ]
        Random(len(rooms)).shuffle(self._members)
        self._rate = rate * len(self._members)
        self._frames = [_split(match_id) for match_id in ids]
        self._plain = [stamped(0.0).join(parts) for parts in self._frames]
        self._sent = 0
        self.received = 0
        self.times: list[tuple[float, float]] = []
        """When messages were due, and how long after that they were there."""
        self.late_s: list[float] = []
        """By how much each tick came later than it should."""
        for room in rooms:
            for client in room:
                client.on_bytes = self._count
            room[READER].on_data = _Reader(self.times)

    def _count(self, size: int) -> None:
        self.received += size

    async def run(self, began: float, until: float) -> None:
        before = began
        while (now := time.monotonic()) < until:
            self.late_s.append(now - before - TICK_S)
            before = now
            upto = int((now - began) * self._rate)
            for number in range(self._sent, upto):
                client, room, stamps = self._members[number % len(self._members)]
                due = began + number / self._rate
                frame = stamped(due).join(self._frames[room]) if stamps else self._plain[room]
                client.transport.write(frame)
            self._sent = max(self._sent, upto)
            await asyncio.sleep(TICK_S)

    @property
    def expected(self) -> int:
        """Deliveries so far."""
        return self._sent * (SIZE - 1)


class _Reader:
    """Reads the times out of what arrives, also when a frame comes in pieces."""

    def __init__(self, times: list[tuple[float, float]]) -> None:
        self._times = times
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        now = time.monotonic()
        data = self._rest + data
        end = 0
        for found in STAMPED.finditer(data):
            at_s = float(base64.b64decode(found[1])[3:23])
            end = found.end()
            if at_s:
                self._times.append((at_s, now - at_s))
        self._rest = data[max(end, len(data) - 120) :]


def _split(match_id: str) -> tuple[bytes, bytes]:
    data = stamped(0.0)
    message = {"match_data_send": {"match_id": match_id, "op_code": "1", "data": data.decode()}}
    before, _, behind = client_frame(orjson.dumps(message)).partition(data)
    return before, behind


class RelayBench:
    """`start` makes a server process with these further settings; `port` reads it from its ready line."""

    def __init__(
        self,
        start: Callable[[dict[str, str]], ServerProcess],
        port: Callable[[str], int],
        tokens: Callable[[int], Sequence[str]],
        join: Join,
    ) -> None:
        self._start = start
        self._port = port
        self._tokens = tokens
        self._join = join
        self._lines: list[str] = []
        self._tasks = TaskOwner("bench")

    async def run(self) -> None:
        for rate in RATES:
            best, first_missed = await self._capacity(rate)
            at_least = "  (at least: more starved the load)" if first_missed.starved else ""
            self._lines.append(f"{f'{rate} a second each':22}{best}{at_least}")
        for pause_ms in PAUSES_MS:
            held = await self._held(TRADE_MATCHES, TRADE_RATE, pause_ms)
            self._lines.append(f"{f'pause of {pause_ms} ms':22}{held}")

    def report(self) -> str:
        """The table."""
        head = f"{'matches of ten, 64 B':22}{'':14}deliveries     CPU      p50      p99"
        return "\n".join([head, *self._lines])

    async def _capacity(self, rate: int) -> tuple[Held, Held]:
        """The most that was held, and the least that was not."""
        best = missed = await self._held(FIRST, rate)
        while best.holds:
            missed = await self._held(best.matches * 2, rate)
            if not missed.holds:
                break
            best = missed
        low = best.matches if best.holds else 0
        while missed.matches - low > STEP:
            tried = await self._held((low + missed.matches) // 2, rate)
            if tried.holds:
                best, low = tried, tried.matches
            else:
                missed = tried
        return best, missed

    async def _held(self, matches: int, rate: int, pause_ms: int = 0) -> Held:
        settings = {**NO_PINGS, "LOCKGATE_SOCKET__FLUSH_INTERVAL_MS": str(pause_ms)}
        with self._start(settings) as server:
            clients = await connect(self._port(server.ready_line), self._tokens(matches * SIZE))
            rooms = [clients[start : start + SIZE] for start in range(0, len(clients), SIZE)]
            ids = []
            for number, room in enumerate(rooms):
                joined = [await self._join(client, f"relay-{number}") for client in room]
                ids.append(joined[0][0])
            await quiet(clients)
            rooms[0][1].kept = b""
            rooms[0][0].transport.write(stamped(0.0).join(_split(ids[0])))
            await quiet(clients)
            _, frame_bytes = extent(rooms[0][1].kept, 0)
            held = await self._measured(server, Relay(rooms, ids, rate), matches, frame_bytes)
            reset(clients)
        say(f"         {rate:>3} a second, pause {pause_ms} ms {held}")
        return held

    async def _measured(self, server: ServerProcess, relay: Relay, matches: int, frame_bytes: int) -> Held:
        began = time.monotonic()
        sending = self._tasks.spawn("relay", relay.run(began, began + WARM_S + FOR_S))
        await asyncio.sleep(WARM_S)
        cpu_s, mine_s, received = server.cpu_s(), time.process_time(), relay.received
        relay.late_s.clear()
        await sending
        took_s = time.monotonic() - began - WARM_S
        cpu_s, mine_s = server.cpu_s() - cpu_s, time.process_time() - mine_s
        deliveries = (relay.received - received) / frame_bytes
        await asyncio.sleep(DRAINED_S)  # what is on its way may arrive: only what is lost is missing then
        times = sorted(took for due, took in relay.times if due >= began + WARM_S) or [float("inf")]
        return Held(
            matches=matches,
            cpu_us=cpu_s / max(deliveries, 1) * 1e6,
            deliveries_s=deliveries / took_s,
            share=relay.received / (frame_bytes * relay.expected),
            p50_s=times[len(times) // 2],
            p99_s=times[int(len(times) * 0.99)],
            samples=len(times),
            load_busy=mine_s / took_s,
            load_late_s=sorted(relay.late_s)[int(len(relay.late_s) * 0.99)],
        )
