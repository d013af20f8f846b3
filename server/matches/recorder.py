"""The recordings of matches: one file each in a folder, bounded in size and number.

A recording must never harm its match: what goes wrong with a file ends the recording, and is logged once.
Written at each tick at the latest and not synced: a killed process loses its last tick, a dead machine more.
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from server import __version__
from server.runtime.context import Context
from server.runtime.journal import MAGIC, Entry, GivenUp, Header, Outcome, Step, framed
from server.runtime.match import Match
from server.runtime.run import Limits

log = structlog.get_logger("lockgate.matches")

SUFFIX = ".lockgate"
LAST_WORDS = 200
"""Bytes kept free for why a recording ends early."""


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
        if len(frame) + len(self._waiting) > self._left - LAST_WORDS:
            self.give_up("matches.record_max_mb is reached", entry)
            return
        self._waiting += frame
        if isinstance(entry.asked, Step):
            self._flush()

    def give_up(self, reason: str, at: Entry | None = None) -> None:
        if self._file.closed:
            return
        log.warning("recording_ended_early", file=self._path.name, reason=reason)
        tick, now = (0, 0.0) if at is None else (at.tick, at.asked.now)
        self._waiting += framed(Entry(tick, GivenUp(now=now, reason=reason), Outcome()))
        if self._flush():
            self._counts.truncated += 1
            self._file.close()

    def close(self) -> None:
        """The match is over."""
        if not self._file.closed and self._flush():
            self._counts.finished += 1
            self._file.close()

    @property
    def path(self) -> Path:
        return self._path

    @property
    def is_open(self) -> bool:
        return not self._file.closed

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
        self._open: list[Recording] = []
        self.counts = Counts()

    def open(self, header: Header) -> Recording | None:
        """Begin a recording; None if that cannot be done."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room()
            recording = Recording(self._free(header.match_id), header, self._max_bytes, self.counts)
        except OSError as error:
            self.counts.failed += 1
            log.error("recording_failed", match_id=header.match_id, error=type(error).__name__)
            return None
        self._open.append(recording)
        return recording

    def _make_room(self) -> None:
        """Delete the oldest files, but none that is being written. Raises OSError when all are."""
        self._open = [each for each in self._open if each.is_open]
        written = {each.path for each in self._open}
        if len(written) >= self._keep:
            raise OSError("matches.record_keep recordings are being written")
        files = sorted(self._folder.glob(f"*{SUFFIX}"), key=lambda each: each.stat().st_mtime_ns)
        for old in [each for each in files if each not in written][: max(0, len(files) - self._keep + 1)]:
            old.unlink(missing_ok=True)

    def _free(self, match_id: str) -> Path:
        # A match that went on after a restart has a recording already.
        path, number = self._folder / f"{match_id}{SUFFIX}", 1
        while path.exists():
            number += 1
            path = self._folder / f"{match_id}.{number}{SUFFIX}"
        return path


def header_of(match: Match, context: Context, limits: Limits) -> Header:
    """What a replay needs to know of a match that begins."""
    kind = type(match)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    return Header(
        version=__version__,
        match_id=context.match_id,
        node=context.node,
        module=kind.__module__,
        kind=kind.__qualname__,
        source_sha256=source_hash(file),
        seed=context.seed,
        tick_rate=context.tick_rate,
        limits=limits,
        file=file,
        hash_seed=os.environ.get("PYTHONHASHSEED", ""),
    )


def source_hash(file: str) -> str:
    """SHA-256 of a source file, in hex; empty if it cannot be read."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""
