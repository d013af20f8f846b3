"""What players cost who only stay: CPU time and memory of sockets that answer pings and say nothing else.

Pings go out as often as by default. The server's own work, with nobody there, is measured too and not
subtracted.
"""

import asyncio
from collections.abc import Callable, Sequence

from protocol.frames import FIN_PONG, MASKED
from tests.bench.load import ZERO_KEY, Client, connect, quiet, reset
from tests.bench.process import ServerProcess
from tests.bench.report import say

COUNTS = (2_000, 5_000)
WARM = 50
"""Sockets that come first, so that what all of them share is not counted."""
SETTLED_S = 17.0
"""Until every socket had its first ping, and is in its rhythm."""
FOR_S = 30.0


class IdleBench:
    """All measurements of idle sockets; each number of them has a fresh server."""

    def __init__(
        self,
        start: Callable[[], ServerProcess],
        port: Callable[[str], int],
        tokens: Callable[[int], Sequence[str]],
    ) -> None:
        """`port` reads it from the line that says that a server is ready."""
        self._start = start
        self._port = port
        self._tokens = tokens
        self._lines: list[str] = []

    async def run(self) -> None:
        """Everything once; it takes a minute for each number of sockets."""
        for count in COUNTS:
            with self._start() as server:
                alone_us = await self._spent_us(server, SETTLED_S)
                port = self._port(server.ready_line)
                warm = await connect(port, self._tokens(WARM))
                await quiet(warm)
                reset(warm)
                await asyncio.sleep(0.5)
                before = server.rss_bytes()
                clients = await connect(port, self._tokens(count))
                for client in clients:
                    client.send({"cid": "1", "ping": {}})
                await quiet(clients)
                kib = (server.rss_bytes() - before) / count / 1024
                for client in clients:
                    client.on_data = _answering(client)
                    client.kept = b""
                await asyncio.sleep(SETTLED_S)
                spent_us = await self._spent_us(server, FOR_S)
                reset(clients)
            self._lines.append(f"{count:>14,}{spent_us / count:>14.2f}{alone_us:>14.0f}{kib:>10.2f}")
            say(f"         {count:,} idle sockets {spent_us / count:>10.2f} us {kib:>10.2f} KiB each")

    def report(self) -> str:
        """The table."""
        head = f"{'idle sockets':>14}{'us/s each':>14}{'us/s of none':>14}{'KiB each':>10}"
        return "\n".join([head, *self._lines])

    async def _spent_us(self, server: ServerProcess, for_s: float) -> float:
        """CPU microseconds that the server takes in a second."""
        cpu_s = server.cpu_s()
        await asyncio.sleep(for_s)
        return (server.cpu_s() - cpu_s) / for_s * 1e6


def _answering(client: Client) -> Callable[[bytes], None]:
    # Nothing but pings comes to a socket that is idle: what they carry comes back, masked by zeros.
    def answer(data: bytes) -> None:
        client.transport.write(bytes((FIN_PONG, MASKED | len(data) - 2)) + ZERO_KEY + data[2:])

    return answer
