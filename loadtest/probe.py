"""What the server uses of the machine, and what it tells of itself, read alongside a run.

Its processor time and memory come from the system when its process id is given, otherwise from its metrics. A
server that is frozen, gone, or has no metrics must not hold up the one who asks: an answer comes within
`ANSWER_S`, and it may be that nothing is known.
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp

from loadtest.exposition import CPU, RSS, Exposition, between, parse
from loadtest.result import ServerUse

ANSWER_S: Final = 2.0
MAX_BODY: Final = 2 * 2**20
"""Bytes. A longer answer is not read to its end, and tells nothing."""
PATHS: Final = ("/metrics", "/")
"""Where metrics are; the second is Nakama's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Processor seconds (user and system) since the server's start, and bytes resident now."""

    cpu_s: float
    rss_bytes: int
    at_s: float = 0.0
    """By the prober's clock."""
    exposition: Exposition = field(default_factory=Exposition)


class ServerProbe:
    """Reads the server's use. `ops` is the address of its metrics, empty if there are none."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        ops: str,
        pid: int | None,
        monotonic: Callable[[], float] = time.monotonic,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._http = http
        self._urls = _urls(ops.rstrip("/"))
        self._pid = pid
        self._monotonic = monotonic
        self._answer_s = answer_s

    async def read(self) -> Reading | None:
        """None whenever processor and memory cannot be known. Takes up to `answer_s`."""
        told = await self._scrape()
        used = (None if self._pid is None else of_process(self._pid)) or _of_exposition(told)
        if used is None:
            return None
        return Reading(used.cpu_s, used.rss_bytes, self._monotonic(), told or Exposition())

    async def _scrape(self) -> Exposition | None:
        try:
            async with asyncio.timeout(self._answer_s):
                for url in self._urls:
                    text = await self._get(url)
                    if text is not None:
                        self._urls = (url,)
                        return parse(text)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            pass  # a server that is not there, or that is another program: nothing is known
        return None

    async def _get(self, url: str) -> str | None:
        # Packing its metrics would cost the server more than sending them.
        headers = {"Accept": "text/plain; version=0.0.4", "Accept-Encoding": "identity"}
        async with self._http.get(url, headers=headers, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                return None
            body = bytearray()
            async for chunk in response.content.iter_chunked(2**16):
                body += chunk
                if len(body) > MAX_BODY:
                    response.close()
                    return None
            return body.decode(errors="replace")


def use_between(before: Reading, after: Reading) -> ServerUse:
    """What the server used from one reading to a later one. One that was restarted counts from its start."""
    seconds = after.at_s - before.at_s
    cpu_s = after.cpu_s - before.cpu_s if after.cpu_s >= before.cpu_s else after.cpu_s
    return ServerUse(
        cpu=cpu_s / seconds if seconds > 0 else 0.0,
        rss_bytes=after.rss_bytes,
        metrics=between(before.exposition, after.exposition, seconds),
    )


def of_process(pid: int) -> Reading | None:
    """From Linux's /proc; None if the process, or /proc, is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        resident = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return None
    # Behind the name, which is in parentheses and may hold anything, utime and stime are the 12th and 13th.
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Reading(ticks / os.sysconf("SC_CLK_TCK"), int(resident) * os.sysconf("SC_PAGE_SIZE"))


def _of_exposition(told: Exposition | None) -> Reading | None:
    if told is None or CPU not in told.counters or RSS not in told.gauges:
        return None
    return Reading(told.counters[CPU], int(told.gauges[RSS]))


def _urls(ops: str) -> tuple[str, ...]:
    if not ops:
        return ()
    return (ops,) if ops.endswith(PATHS[0]) else tuple(ops + path for path in PATHS)
