"""How many arenas of ten one server holds, and what a tick costs it, with all it receives and delivers.

Each trial has a fresh server. It holds so many arenas if at most one tick in a hundred begins more than 5 ms
late, by the server's own histogram, and no tick is lost. Every player sends two messages a second.
"""

import asyncio
import base64
import random
import re
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from tests.bench.load import Client, client_frame, connect, reset
from tests.bench.process import ServerProcess
from tests.bench.report import say

PLAYERS = 10
MESSAGES_PER_S = 2
LATE_S = 0.005
ON_TIME = 0.99
SPARE = 0.98
"""Of the ticks that should be there, so many must be."""
MOVES = 64
"""Different messages that players send."""
WARM_S = 3.0
FIRST, FINE = 80, 20
"""Arenas in the first trial; the largest number that holds is found to so many."""

Start = Callable[[], ServerProcess]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a server did with so many matches. `late_share`: ticks that began more than 5 ms late."""

    matches: int
    ticks: float
    expected: float
    late_share: float
    core_share: float
    deliveries_per_s: float

    @property
    def holds(self) -> bool:
        return self.late_share <= 1 - ON_TIME and self.ticks >= SPARE * self.expected

    def tick_us(self, idle_share: float, elapsed_s: float) -> float:
        """CPU microseconds of a tick, less what the same server does without any."""
        return (self.core_share - idle_share) * elapsed_s / self.ticks * 1e6

    def __str__(self) -> str:
        return (
            f"{self.matches:4} matches: {self.late_share:7.2%} of ticks over 5 ms late, "
            f"{self.ticks / max(self.expected, 1):6.1%} of ticks run, {self.core_share:5.1%} of the core, "
            f"{self.deliveries_per_s:7.0f} deliveries/s -> {'holds' if self.holds else 'does not hold'}"
        )


class ArenasBench:
    """`start` starts a server with `arena_game`; `tokens` mints tokens for so many players."""

    def __init__(self, start: Start, tokens: Callable[[int], Sequence[str]], seconds: float) -> None:
        self._start = start
        self._tokens = tokens
        self._seconds = max(seconds, 6.0)
        self._lines: list[str] = []

    async def run(self) -> None:
        """Everything once: what ticks cost, and how many arenas are held at 10 and at 20 Hz."""
        idle = await self.trial("Empty10", 0, 0)
        empty = await self.trial("Empty10", 400, 0)
        self._say(f"tick of an empty match, CPU us: {empty.tick_us(idle.core_share, self._seconds):.1f}")
        for kind in ("Arena10", "Arena20"):
            some = await self.trial(kind, 40, PLAYERS)
            cost = some.tick_us(idle.core_share, self._seconds)
            self._say(f"tick of an arena of ten ({kind}), with all it receives and sends, CPU us: {cost:.0f}")
            best = await self._largest(kind)
            self._say(f"arenas of ten held at {kind[5:]} Hz: {best}")

    def report(self) -> str:
        return "\n".join(self._lines)

    async def trial(self, kind: str, matches: int, players: int) -> Trial:
        """Let so many matches run, with so many players each."""
        with self._start() as server:
            ready = orjson.loads(server.ready_line)
            port, ops = int(ready["public"].rpartition(":")[2]), ready["ops"]
            clients = await connect(port, self._tokens(max(matches * max(players, 1), 1)))
            rooms = await _seated(kind, clients, matches, players)
            async with _playing(rooms):
                await asyncio.sleep(WARM_S)
                before, cpu = await _counts(ops), server.cpu_s()
                await asyncio.sleep(self._seconds)
                after, cpu = await _counts(ops), server.cpu_s() - cpu
            reset(clients)
        counted = {name: after[name] - before[name] for name in after}
        ticks = counted["count"]
        rate = int(re.sub(r"\D", "", kind))
        made = Trial(
            matches,
            ticks,
            matches * rate * self._seconds,
            1 - counted["on_time"] / ticks if ticks else 0.0,
            cpu / self._seconds,
            counted["delivered"] / self._seconds,
        )
        say(f"{kind:8} {made}")
        return made

    async def _largest(self, kind: str) -> int:
        held, failed = 0, 0
        while not failed or failed - held > FINE:
            tried = (held + failed) // 2 // FINE * FINE if failed else held * 2 or FIRST
            if tried <= held:
                break
            if (await self.trial(kind, tried, PLAYERS)).holds:
                held = tried
            else:
                failed = tried
        return held

    def _say(self, line: str) -> None:
        self._lines.append(line)
        say(line)


Room = tuple[str, Sequence[Client]]
"""The id of a match, and who is in it."""


async def _seated(kind: str, clients: Sequence[Client], matches: int, players: int) -> list[Room]:
    """Make the matches, and let their players in."""
    rooms: list[Room] = []
    each = max(players, 1)
    for number in range(matches):
        seats = clients[number * each : (number + 1) * each]
        seats[0].send({"cid": "1", "rpc": {"id": "create", "payload": kind}})
        match_id = await _told(seats[0], lambda message: _payload(message))
        rooms.append((match_id, seats[:players]))
        for client in seats[:players]:
            client.send({"match_join": {"match_id": match_id}})
    for client in clients:
        client.on_bytes = lambda size: None
    return rooms


def _payload(message: dict[str, object]) -> str | None:
    called = message.get("rpc")
    return str(called["payload"]) if isinstance(called, dict) else None


async def _told(client: Client, find: Callable[[dict[str, object]], str | None]) -> str:
    while True:
        for message in client.messages():
            if (found := find(message)) is not None:
                return found
        await asyncio.sleep(0.001)


@asynccontextmanager
async def _playing(rooms: Sequence[Room]) -> AsyncIterator[None]:
    """Every player sends so often, all spread over the second."""
    chance = random.Random(1)
    turns: list[tuple[Client, list[bytes]]] = []
    for match_id, clients in rooms:
        frames = [_move(match_id, chance) for _ in range(MOVES)]
        turns += [(client, frames) for client in clients]
    chance.shuffle(turns)
    loop = asyncio.get_running_loop()
    slots = 50 // MESSAGES_PER_S
    slot = 0
    began = loop.time()
    timer: asyncio.TimerHandle

    def send() -> None:
        nonlocal slot, timer
        for client, frames in turns[slot % slots :: slots]:
            client.transport.write(frames[slot % MOVES])
        slot += 1
        timer = loop.call_at(began + slot * 0.02, send)

    timer = loop.call_soon(send)  # type: ignore[assignment]  # both can be cancelled
    try:
        yield
    finally:
        timer.cancel()


def _move(match_id: str, chance: random.Random) -> bytes:
    way = orjson.dumps({"dx": round(chance.uniform(-1, 1), 2), "dy": round(chance.uniform(-1, 1), 2)})
    data = base64.b64encode(way).decode()
    sent = {"match_id": match_id, "op_code": "1", "data": data}
    return client_frame(orjson.dumps({"match_data_send": sent}))


async def _counts(ops: str) -> dict[str, float]:
    """What the server has counted so far."""

    def read() -> str:
        with urllib.request.urlopen(f"http://{ops}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    text = await asyncio.to_thread(read)
    lateness = "lockgate_match_tick_lateness_seconds"

    def value(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    return {
        "on_time": value(f'{lateness}_bucket{{le="{LATE_S}"}}'),
        "count": value(f"{lateness}_count"),
        "delivered": value("lockgate_messages_delivered_total"),
    }
