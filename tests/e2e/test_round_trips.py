"""What round trips are told of a server whose loop is free, and of one whose loop stands still."""

import asyncio
import time
from pathlib import Path

import pytest
import uvloop
from websockets.sync.client import ClientConnection, connect

from tests.support.inprocess import Live, running, until

PINGS = {"ping_interval_s": 0.2, "pong_timeout_s": 5}
STALL_S = 0.3


def dial(live: Live, token: str) -> ClientConnection:
    """A client with a thread of its own, which answers pings while our loop stands still."""
    return connect(f"ws://{live.server.public}/ws?token={token}", ping_interval=None)


async def stalled(folder: Path, stall_s: float) -> tuple[int, int, float]:
    """Round trips counted, left out, and the seconds of the former, when a stall follows each sweep."""
    async with running(folder, socket=PINGS) as live:
        keepalive, loop = live.server._sockets.keepalive, asyncio.get_running_loop()
        sweep, trips = keepalive.sweep, keepalive.round_trips

        def stall() -> None:
            until_then = time.monotonic() + stall_s
            while time.monotonic() < until_then:
                pass

        def sweep_and_stall(clock: float) -> None:
            sweep(clock)
            loop.call_soon(stall)  # behind the writing of the pings

        keepalive.sweep = sweep_and_stall  # type: ignore[method-assign]  # the loop stands still after it
        token = (await live.sign_in("ada"))["token"]
        client = await asyncio.to_thread(dial, live, token)
        try:
            await until(lambda: trips.times.count + trips.left_out >= 4)
        finally:
            await asyncio.to_thread(client.close)
        return trips.times.count, trips.left_out, trips.times.total


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_the_time_that_an_answer_waited_for_our_loop_is_not_taken(loop: object, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]  # either is a factory
        counted, left_out, _ = runner.run(stalled(tmp_path, STALL_S))

    assert left_out >= 4
    assert counted == 0


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_round_trips_of_a_free_loop_are_counted(loop: object, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]  # either is a factory
        counted, _, seconds = runner.run(stalled(tmp_path, 0.0))

    assert counted >= 1
    assert 0 < seconds / counted < STALL_S
