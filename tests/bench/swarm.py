"""What the load tester itself costs: CPU for each frame that a player hears and each message that they say.

Without a network: frames as the server writes them are handed to a player's socket, so the figures are those
of our own code. Beside them the floor: what a bare protocol on the same loop needs to be handed a frame.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from random import Random
from typing import cast

import uvloop

from loadtest.common import Common
from loadtest.pacer import NS, Pacer
from loadtest.places import OP_CODE, MatchRoom
from loadtest.socket import Socket
from loadtest.stamp import pack
from protocol.envelope import Envelope, Format, frame
from protocol.messages import MatchData, UserPresence
from tests.bench.report import say, table
from tests.support.swarm_stage import common_of, group_of, session_of, user_of

SIZE = 10
FRAMES, ROUNDS = 20_000, 5
MATCH = "a8b5e0c2-7a31-4f6e-9d1c-1c2d3e4f5a6b."
ACTORS, ACTS_PER_S, ACTS_S = 300, 10, 2
FLOOR_SOCKETS, FLOOR_FRAMES, AT_ONCE = 300, 60_000, 10
Costs = dict[str, dict[str, float]]
"""CPU microseconds by row, then by format."""


def _match(common: Common) -> list[MatchRoom]:
    """Ten players in one match."""
    rooms = []
    for player in group_of(common, SIZE):
        room = MatchRoom(player, player.group.topic("match"), 48)
        player.rooms[room.visit.topic.number] = room
        room.entered(MATCH, session_of(player), user_of(player), [])
        rooms.append(room)
    return rooms


def _frames(rooms: list[MatchRoom], common: Common) -> list[bytes]:
    """What the first player is sent while the others talk in turn."""
    found = []
    for count in range(FRAMES):
        visit = rooms[1 + count % (SIZE - 1)].visit
        data = pack(common.run, visit.number, visit.send(), 1_000, 2_000) + bytes(18)
        by = UserPresence(user_id=visit.user_id, session_id=visit.session_id, username="somebody")
        message = MatchData(match_id=MATCH, presence=by, op_code=OP_CODE, data=data)
        found.append(frame(Envelope(message), common.dialer.form))
    return found


def _least_us(work: Callable[[], int]) -> float:
    """Microseconds of CPU each, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        count = work()
        best = min(best, (time.process_time() - begun) / count * 1e6)
    return best


async def _heard_us(form: Format) -> float:
    def hear() -> int:
        common = common_of(form)
        rooms = _match(common)
        frames = _frames(rooms, common)
        made = cast(Socket, rooms[0].player.socket)
        begun = time.process_time()
        for each in frames:
            made.data_received(each)
        spent.append((time.process_time() - begun) / FRAMES * 1e6)
        if common.ledger.delivered != FRAMES:
            raise RuntimeError("the frames were not counted")
        return FRAMES

    spent: list[float] = []
    for _ in range(ROUNDS):
        hear()
    return min(spent)


async def _said_us(form: Format) -> float:
    rooms = _match(common_of(form))

    def talk() -> int:
        for count in range(FRAMES):
            rooms[count % SIZE].say(count)
        return FRAMES

    return _least_us(talk)


async def _act_us() -> float:
    """What it takes to have players begin in time, with nothing that they do."""
    pacer, random, acts = Pacer(lambda _slip_us: None), Random(1), 0

    async def act() -> None:
        nonlocal acts
        due_ns = time.monotonic_ns() + round(random.random() * NS / ACTS_PER_S)
        for _ in range(ACTS_PER_S * ACTS_S):
            await pacer.until(due_ns)
            acts += 1
            due_ns += NS // ACTS_PER_S

    begun = time.process_time()
    await asyncio.gather(*(act() for _ in range(ACTORS)))
    spent = time.process_time() - begun
    pacer.close()
    return spent / acts * 1e6


class _Counting(asyncio.Protocol):
    def __init__(self, counted: list[int], turn: asyncio.Event) -> None:
        self._counted, self._turn = counted, turn

    def data_received(self, data: bytes) -> None:
        self._counted[0] += len(data) // 300
        self._turn.set()


async def _floor_us() -> float:
    """The loop's own share: frames that come one at a time over TCP, to a protocol that only counts.

    Both ends are in this process; sending is measured apart and taken off.
    """
    loop = asyncio.get_running_loop()
    counted, turn = [0], asyncio.Event()
    server = await loop.create_server(lambda: _Counting(counted, turn), "127.0.0.1", 0, backlog=FLOOR_SOCKETS)
    address = server.sockets[0].getsockname()
    near = [socket.create_connection(address) for _ in range(FLOOR_SOCKETS)]
    payload, sending, sent = bytes(300), 0.0, 0
    begun = time.process_time()
    while sent < FLOOR_FRAMES:
        cut = time.process_time()
        for each in near[:AT_ONCE]:
            each.send(payload)
        sending += time.process_time() - cut
        sent += AT_ONCE
        near = near[AT_ONCE:] + near[:AT_ONCE]
        while counted[0] < sent:
            turn.clear()
            await turn.wait()
    spent = time.process_time() - begun - sending
    for each in near:
        each.close()
    server.close()
    return spent / sent * 1e6


async def _measure() -> Costs:
    return {
        "a frame heard": {form.name: await _heard_us(form) for form in Format},
        "a message said": {form.name: await _said_us(form) for form in Format},
        "an act waited for, 3,000 a second": {form.name: await _act_us() for form in Format},
        "a frame handed to a bare protocol by the loop": {form.name: await _floor_us() for form in Format},
    }


class SwarmBench:
    """All of that, on one core."""

    def __init__(self, core: int) -> None:
        self._core = core
        self._costs: dict[str, dict[str, list[float]]] = {}

    async def round(self) -> None:
        """Everything once, in a process of its own."""
        for row, by_format in (await asyncio.to_thread(self._run)).items():
            for name, cost_us in by_format.items():
                self._costs.setdefault(row, {}).setdefault(name, []).append(cost_us)
                say(f"         swarm: {row}, {name}: {cost_us:.2f} us")

    def report(self) -> str:
        """The table, in microseconds of CPU."""
        return table(self._costs, [form.name for form in Format])

    def _run(self) -> Costs:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.swarm"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        return dict(json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_measure())))  # noqa: T201  # the bench reads it
