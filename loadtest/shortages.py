"""What a machine of the swarm ran out of when it was to open a socket: no fault of the server's."""

import errno
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import aiohttp

FILES: Final = "files"
PORTS: Final = "ports"
MEMORY: Final = "memory"
REMEDIES: Final = {
    FILES: "raise `ulimit -n`, or share the players among more workers",
    PORTS: "give more addresses to connect from by --source, or share the players among agents",
    MEMORY: "share the players among agents",
}
"""What helps, by what was missing."""
_MISSING: Final = {
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.EADDRNOTAVAIL: PORTS,
    errno.ENOBUFS: MEMORY,
    errno.ENOMEM: MEMORY,
}


class Shortages:
    """Counts them, by what was missing. Of HTTP requests it hears as a client's `trace`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def of(self, error: BaseException) -> str:
        """Count an error that ended an attempt, and tell what was missing; empty if nothing was."""
        missing = next((_MISSING[number] for number in _numbers(error) if number in _MISSING), "")
        if missing:
            self._counts[missing] += 1
        return missing

    def take(self) -> dict[str, int]:
        """All since the last time."""
        taken = dict(self._counts)
        self._counts.clear()
        return taken

    def trace(self) -> aiohttp.TraceConfig:
        """For a client whose requests are to be counted as well."""
        config = aiohttp.TraceConfig()

        async def hear(_http: Any, _context: Any, params: aiohttp.TraceRequestExceptionParams) -> None:
            self.of(params.exception)

        config.on_request_exception.append(hear)
        return config


def _numbers(error: BaseException) -> Iterator[int | None]:
    """Of the error, and of what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            yield cause.errno
        cause = cause.__cause__
