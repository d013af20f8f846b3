"""A rush of players: how many get in, and how long everybody else waits for the event loop meanwhile."""

import asyncio
import re
import time
import urllib.request
from collections.abc import Callable, Sequence

import orjson

from tests.bench.load import Client, reset
from tests.bench.process import ServerProcess
from tests.bench.report import say

COUNT = 5_000
WITHIN_S = (9.0, 0.0)
"""They come evenly within so long; all at once."""
LAG = re.compile(r'lockgate_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)')


class RushBench:
    """`start` makes a server process, `tokens` so many session tokens."""

    def __init__(self, start: Callable[[], ServerProcess], tokens: Callable[[int], Sequence[str]]) -> None:
        self._start = start
        self._tokens = tokens
        self._lines: list[str] = []

    async def run(self) -> None:
        for within_s in WITHIN_S:
            with self._start() as server:
                line = await self._rush(server, within_s)
            self._lines.append(line)
            say(f"         {line}")

    def report(self) -> str:
        """The table."""
        return "\n".join([f"{COUNT:,} sockets", *self._lines])

    async def _rush(self, server: ServerProcess, within_s: float) -> str:
        ready = orjson.loads(server.ready_line)
        port, loop = int(ready["public"].rpartition(":")[2]), asyncio.get_running_loop()
        tokens = self._tokens(COUNT)
        clients: list[Client] = []

        async def come(number: int) -> bool:
            await asyncio.sleep(number / COUNT * within_s)
            _, client = await loop.create_connection(lambda: Client(tokens[number]), "127.0.0.1", port)
            clients.append(client)
            try:
                await client.opened()
            except RuntimeError:
                return False  # told to come again
            return True

        before, began, cpu_s = await _lags(ready["ops"]), time.monotonic(), server.cpu_s()
        served = sum(await asyncio.gather(*(come(number) for number in range(COUNT))))
        took_s, cpu_s = time.monotonic() - began, server.cpu_s() - cpu_s
        after = await _lags(ready["ops"])
        reset(clients)
        beats = [(bound, after[bound] - before[bound]) for bound in after]
        worst = next(bound for bound, count in beats if count == beats[-1][1])
        return (
            f"within {within_s:.0f} s: {served:,} served, {COUNT - served:,} told to come again,"
            f" in {took_s:.1f} s; {cpu_s / COUNT * 1e6:.0f} us each; lag of the loop at most {worst} s"
        )


async def _lags(ops: str) -> dict[str, float]:
    def read() -> str:
        with urllib.request.urlopen(f"http://{ops}/metrics") as answer:
            return str(answer.read(), "utf-8")

    return {bound: float(count) for bound, count in LAG.findall(await asyncio.to_thread(read))}
