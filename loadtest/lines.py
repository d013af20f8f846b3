"""Lines of JSON between processes: cut out of a stream, bounded, and read as what was expected.

Whoever is at the other end may be of another version, or nobody we know: a line that is too long or makes no
sense is an error with a text, never a stream that grows or a traceback.
"""

import asyncio
from typing import Any, Final

import msgspec

from loadtest.failures import SwarmError

NOTE_BYTES: Final = 4 * 2**20
"""The longest line: a sample with several dozens of full histograms is a tenth of it."""
READ_BYTES: Final = 2**16


class Lines:
    """The lines of a stream, one reader at a time."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._held = bytearray()

    async def next(self, limit: int = NOTE_BYTES) -> bytes | None:
        """The next line without its end; None behind the last one, and for one that was cut off.

        Raises SwarmError for a line longer than `limit` bytes, after which the stream is of no use, and
        OSError as the stream does.
        """
        looked_at = 0
        while (end := self._held.find(b"\n", looked_at)) < 0:
            looked_at = len(self._held)
            if looked_at > limit:
                break
            chunk = await self._stream.read(READ_BYTES)
            if not chunk:
                return None
            self._held += chunk
        if end < 0 or end > limit:
            self._held.clear()
            raise SwarmError(f"said more than {limit} bytes in one line")
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line


def read(line: bytes, expected: Any, kind: str) -> Any:
    """A line as one of the `expected` types. Raises SwarmError that calls it no `kind`, without its text."""
    try:
        return msgspec.json.decode(line, type=expected)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SwarmError(f"said what is no {kind}") from None


def write(message: Any) -> bytes:
    """As a line, with its end."""
    return msgspec.json.encode(message) + b"\n"
