"""Runs of the swarm against a server of their own, judged as the command line judges them."""

import asyncio
import socket
from typing import Any

from loadtest.plan import of_data
from loadtest.result import Interval, Result
from loadtest.run import run
from tests.support.running import RunningServer

LENIENT = {"lag_p99_ms": 2000, "lag_max_ms": 20_000, "slip_p99_ms": 2000, "cpu": 8, "gc_max_ms": 5000}
"""Tests share their processors with other tests: they ask what happened, not how fast."""


class Silent:
    """Watches, and keeps what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.intervals: list[Interval] = []

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def interval(self, interval: Interval) -> None:
        self.intervals.append(interval)

    def end(self) -> None:
        return


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def played(server: RunningServer, scenario: str, **members: Any) -> Result:
    """A run of a few seconds; `members` are those of the plan."""
    plan = {
        "url": f"http://{server.public}",
        "ops": f"http://{server.ops}",
        "sign_in": {"issuer": server.issuer.rpartition("/")[0]},
        "scenario": scenario,
        "players": 12,
        "ramp_s": 0.5,
        "warm_up_s": 0.2,
        "duration_s": 2.5,
        "heartbeat_s": 1.0,
        "limits": LENIENT,
    }
    return await run(of_data({**plan, **members}), Silent(), asyncio.Event())
