"""The recordings of matches: one file each in a folder, bounded in size and number.

A recording must never harm its match: what goes wrong with a file ends the recording, and is logged once.
Written at each tick at the latest and not synced: a killed process loses its last tick, a dead machine more.
"""

from dataclasses import dataclass
from pathlib import Path

import structlog

from server.runtime.journal import MAGIC, Entry, Header, Step, framed

log = structlog.get_logger("lockgate.matches")

SUFFIX = ".lockgate"


@dataclass(slots=True)
class Counts:
    """How recordings went. `truncated`: at their size, or where a match could not be run again."""

    started: int = 0
    finished: int = 0
    truncated: int = 0
    failed: int = 0


class Recording:
    """The journal of one match. Call `close` when it is over."""

    def __init__(self, path: Path, header: Header, max_bytes: int, counts: Counts) -> None:
        """Raises OSError."""
        self._path = path
        self._left = max_bytes
        self._counts = counts
        self._waiting = bytearray(MAGIC + framed(header))
        # It has what players sent, and what their tokens say of them.
        path.touch(mode=0o600, exist_ok=False)
        self._file = path.open("ab", buffering=0)
        counts.started += 1

    def write(self, entry: Entry) -> None:
        if self._file.closed:
            return
        try:
            frame = framed(entry)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            self._fail(error)
            return
        if len(frame) + len(self._waiting) > self._left:
            self.give_up("matches.record_max_mb is reached")
            return
        self._waiting += frame
        if isinstance(entry.asked, Step):
            self._flush()

    def give_up(self, reason: str) -> None:
        if self._file.closed:
            return
        log.warning("recording_ended_early", file=self._path.name, reason=reason)
        if self._flush():
            self._counts.truncated += 1
            self._file.close()

    def close(self) -> None:
        """The match is over."""
        if not self._file.closed and self._flush():
            self._counts.finished += 1
            self._file.close()

    def _flush(self) -> bool:
        try:
            written = self._file.write(self._waiting)
        except OSError as error:
            self._fail(error)
            return False
        if written != len(self._waiting):  # a disk that is nearly full takes a part: the reader cuts it off
            self._fail(OSError("the disk is full"))
            return False
        self._left -= written
        self._waiting.clear()
        return True

    def _fail(self, error: Exception) -> None:
        self._counts.failed += 1
        self._file.close()
        log.error("recording_failed", file=self._path.name, error=type(error).__name__)


class Recorder:
    """Opens recordings. `keep`: files in the folder; the oldest are deleted. `max_bytes`: of each."""

    def __init__(self, folder: Path, max_bytes: int, keep: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep = keep
        self.counts = Counts()

    def open(self, header: Header) -> Recording | None:
        """Begin a recording; None if that cannot be done."""
        path = self._folder / f"{header.match_id}{SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room()
            return Recording(path, header, self._max_bytes, self.counts)
        except OSError as error:
            self.counts.failed += 1
            log.error("recording_failed", file=path.name, error=type(error).__name__)
            return None

    def _make_room(self) -> None:
        files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda each: each.stat().st_mtime_ns)
        for old in files[: max(0, len(files) - self._keep + 1)]:
            old.unlink(missing_ok=True)
