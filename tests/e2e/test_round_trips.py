"""Round trips of a server's pings, answered by a client of websockets' own."""

from pathlib import Path

from websockets.asyncio.client import connect

from tests.support.inprocess import running, until


async def test_answers_to_our_pings_are_timed(tmp_path: Path) -> None:
    async with running(tmp_path, socket={"ping_interval_s": 0.05, "pong_timeout_s": 5}) as live:
        trips = live.server._sockets.keepalive.round_trips
        token = (await live.sign_in("ada"))["token"]
        async with connect(f"ws://{live.server.public}/ws?token={token}", ping_interval=None):
            await until(lambda: trips.times.count >= 3)

            (socket,) = live.server._registry.by_id.values()
            assert socket.socket.pings.rtt_s is not None  # type: ignore[attr-defined]  # a WebSocket

    assert trips.times.total > 0
