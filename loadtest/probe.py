"""What the server uses of the machine: by its own metrics, or by the system when its process id is given."""

import os
from dataclasses import dataclass
from pathlib import Path

import aiohttp


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds (user and system) since the server's start, and bytes resident now."""

    cpu_s: float
    rss_bytes: int


class Probe:
    """Reads the server's use; `read` gives None whenever it cannot be known."""

    def __init__(self, http: aiohttp.ClientSession, ops: str, pid: int | None) -> None:
        self._http = http
        self._ops = ops
        self._pid = pid

    async def read(self) -> Usage | None:
        if self._pid is not None:
            return of_process(self._pid)
        try:
            async with self._http.get(f"{self._ops}/metrics") as response:
                return of_metrics(await response.text())
        except (aiohttp.ClientError, TimeoutError):
            return None


def of_metrics(text: str) -> Usage | None:
    """From Prometheus text."""
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("process_"))
    try:
        return Usage(
            float(samples["process_cpu_seconds_total"]), int(float(samples["process_resident_memory_bytes"]))
        )
    except (KeyError, ValueError):
        return None


def of_process(pid: int) -> Usage | None:
    """From Linux's /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        resident = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return None
    # Behind the name, which is in parentheses and may hold anything, utime and stime are the 12th and 13th.
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), int(resident) * os.sysconf("SC_PAGE_SIZE"))
