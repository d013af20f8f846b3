"""One worker of the swarm in this process, from Ready to Done, and a site for it that refuses and drops."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

from aiohttp import web

from loadtest.histogram import values
from loadtest.notes import Begin, Note, Sample, Share, Stop
from loadtest.plan import Plan, SignIn
from loadtest.worker import Worker
from tests.support.swarm import FaultySite


class Site(FaultySite):
    """Closes each socket with this code as soon as it is open, or answers with this status."""

    def __init__(self, *, close: int = 0, status: int = 0, retry: str = "1") -> None:
        super().__init__()
        self.close, self.status, self.retry = close, status, retry
        self.asked = 0
        self.came = asyncio.Event()

    def app(self) -> web.Application:
        app = super().app()
        app.router.add_post("/v2/account/authenticate/device", self._device)
        return app

    async def _device(self, request: web.Request) -> web.Response:
        if self.refuse == "bridge":
            return web.json_response({"code": 16, "message": "no"}, status=401)
        claims = json.dumps({"uid": (await request.json())["id"]}).encode()
        return web.json_response({"token": f"h.{urlsafe_b64encode(claims).decode()}.s", "refresh_token": "r"})

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        self.came.set()
        if self.status:
            return web.Response(status=self.status, headers={"Retry-After": self.retry})
        if not self.close:
            return await super()._socket(request)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.close(code=self.close, message=b"go away")
        return socket


class Played:
    """What a worker told."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    @property
    def samples(self) -> list[Sample]:
        return [note for note in self.notes if isinstance(note, Sample)]

    @property
    def errors(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for sample in self.samples:
            for text, count in sample.errors.items():
                found[text] = found.get(text, 0) + count
        return found

    def count(self, name: str) -> int:
        return sum(sample.counts.get(name, 0) for sample in self.samples)

    def values(self, operation: str) -> list[tuple[int, int]]:
        """Of the response times in the measured time: microseconds, and how often."""
        batches = [each for sample in self.samples for each in sample.timings.get(operation, ())]
        return [pair for batch in batches if not batch.warm_up for pair in values(batch.response)]


def plan(url: str, scenario: str, **more: Any) -> Plan:
    members = {"players": 3, "ramp_s": 0.0, "warm_up_s": 0.0, "duration_s": 0.4, "heartbeat_s": 0.0, **more}
    return Plan(url=url, scenario=scenario, sign_in=SignIn(way="device"), **members)


async def play(
    planned: Plan, *, stop: asyncio.Event | None = None, look: Callable[[Played], None] = lambda _: None
) -> Played:
    """From Ready to Done; it is told to stop when the event is set. `look` at each note."""
    played, orders = Played(), asyncio.Queue[Begin | Stop]()
    orders.put_nowait(Begin())

    def tell(note: Note) -> None:
        played.notes.append(note)
        look(played)

    async with asyncio.timeout(15), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Worker(planned, Share(0, 1), tell).run(orders))
        if stop is not None:
            await stop.wait()
            orders.put_nowait(Stop())
        await running
    return played
