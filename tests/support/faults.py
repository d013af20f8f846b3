"""Faults of a server, planted one at a time around functions of the real one; `server/` knows nothing of it.

Each strikes by counting, so that the same load is always struck in the same places, and tells how often it
did. What exactly each does is in `planted_deliveries.py` and `planted_sockets.py`.
"""

import asyncio
from contextlib import AbstractContextManager, ExitStack
from typing import Final
from unittest.mock import patch

import structlog

from server.app import Server
from server.effects import Stream
from tests.support.freezes import Freeze

REPORT_EVERY_S: Final = 0.05
"""Strikes are logged together, this often at most."""

log = structlog.get_logger("faults")


class Fault:
    """Strikes at every `every`-th occasion behind the first `after` ones."""

    def __init__(self, name: str, every: int = 1, after: int = 0) -> None:
        """Raises ValueError for numbers that make no sense."""
        if every < 1 or after < 0:
            raise ValueError("a fault strikes at every n-th occasion, n from 1, behind the first m, m from 0")
        self.name = name
        self.every = every
        self.after = after
        self.seen = 0
        """Occasions so far."""
        self.struck = 0
        """Those of them at which something wrong was done."""
        self.freezes: list[Freeze] = []
        self.server: Server
        """The server that was started last."""
        self.delivers_to: Stream | tuple[str, ...] = ()
        """Whom the delivery that goes on is for."""
        self._report: asyncio.TimerHandle | None = None

    def chooses(self) -> bool:
        """Whether this occasion is one at which to strike. Whoever then does, says so by `note_strike`."""
        self.seen += 1
        return self.seen > self.after and (self.seen - self.after) % self.every == 0

    def note_strike(self) -> None:
        self.struck += 1
        if self._report is None:
            self._report = asyncio.get_running_loop().call_later(REPORT_EVERY_S, self.report)

    def strikes(self) -> bool:
        """Whether to do wrong now; then it counts as done."""
        chosen = self.chooses()
        if chosen:
            self.note_strike()
        return chosen

    def note_freeze(self, freeze: Freeze) -> None:
        self.freezes.append(freeze)
        self.struck += 1
        log.warning("froze", begun_s=freeze[0], ended_s=freeze[1])

    def report(self) -> None:
        """Log the count so far."""
        if self._report is not None:
            self._report.cancel()
            self._report = None
        log.warning("fault_struck", fault=self.name, struck=self.struck, seen=self.seen)


class Planting(ExitStack):
    """Wraps functions until it is closed."""

    def wrap(self, owner: type, name: str, instead: object) -> None:
        wrapping: AbstractContextManager[object] = patch.object(owner, name, instead)
        self.enter_context(wrapping)


def follow(fault: Fault, planting: Planting) -> None:
    """Let the fault know its server, and report when that stops."""
    start, stop = Server.start, Server.stop

    async def started(server: Server) -> None:
        fault.server = server
        await start(server)

    async def stopped(server: Server) -> None:
        fault.report()
        await stop(server)

    planting.wrap(Server, "start", started)
    planting.wrap(Server, "stop", stopped)
