"""What waits to be sent to one player: whole frames in order, bounded in bytes and in age. No I/O.

While the peer keeps up, a turn's frames leave in one write. When it does not, they wait in a backlog, which
knows what may be dropped or merged (`backlog.py`); if that does not help, the owner is told to close.
"""

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Protocol

from protocol.envelope import Format
from server.sessions.backlog import Backlog, Content
from server.sessions.slow_receivers import Overflow, SlowReceivers

CHUNK = 65_536
"""Bytes that a peer is given at once when it reads again, so that what it may miss stays ours to drop."""


class Writer(Protocol):
    """The socket that writes the frames out."""

    @property
    def buffered(self) -> int:
        """Bytes that were written and that the network has not taken."""

    def wake(self) -> None:
        """There is a first frame: call `flush` soon."""

    def flush(self) -> None:
        """Take and write, as long as the network takes it."""


class _Nowhere:
    """The writer of an outbox without a socket."""

    buffered = 0

    def wake(self) -> None: ...
    def flush(self) -> None: ...


_NOWHERE = _Nowhere()


class Outbox:
    """Frames for one socket. At most `limit_bytes` are unsent, here and in the transport's buffer.

    `attach` the socket before anything is put.
    """

    __slots__ = (
        "_backlog",
        "_form",
        "_frames",
        "_full",
        "_limit_bytes",
        "_slow",
        "_writer",
        "counted",
        "name",
        "queued",
        "since",
    )

    _writer: Writer
    _full: Callable[[Overflow], bool]

    def __init__(self, name: str, form: Format, limit_bytes: int, slow: SlowReceivers) -> None:
        self.name = name
        self._form = form
        self._limit_bytes = limit_bytes
        self._slow = slow
        self._frames: list[bytes] = []
        self._backlog: Backlog | None = None
        self.queued = 0
        """Bytes that wait here."""
        self.since = 0.0
        """While the peer is behind: when the oldest unsent byte was put, in the time of `SlowReceivers`."""
        self.counted = 0
        """While the peer is behind: its unsent bytes, as they are part of the process's sum."""

    def attach(self, writer: Writer, full: Callable[[Overflow], bool]) -> None:
        """Say who writes the frames out, and who is told, with the cause, when this can take no more.

        `full` returns whether the socket is about to be closed; if not, it has discarded what waited.
        """
        self._writer = writer
        self._full = full

    def put(self, whole: bytes, content: Content = None, latest_key: str = "") -> None:
        """Queue a frame. `content` is what it holds; without, it is neither dropped nor merged.

        Match data with a `latest_key` takes the place of what waits of the same match with the same key.
        """
        if self._backlog is not None:
            self._backlog.add(whole, content, self._slow.now, latest_key)
            self._bound(self._backlog)
            return
        frames = self._frames
        frames.append(whole)
        self.queued += len(whole)
        if len(frames) == 1:
            self._writer.wake()
        if self.queued > self._limit_bytes:
            # A burst is no reason to close: the network may take it all at once.
            self._writer.flush()

    def take(self) -> list[bytes]:
        """Frames to be written now, which are then no longer here; after a stall only so many at a time."""
        backlog = self._backlog
        if backlog is None:
            frames = self._frames
            self._frames = []
            self.queued = 0
            return frames
        self.since = self._slow.now if backlog.since is None else backlog.since
        frames = backlog.take(CHUNK)
        self.queued = backlog.size
        return frames

    def stall(self) -> None:
        """The network takes no more for now: what comes is to be kept here. The transport says so."""
        backlog = self._backlog
        if backlog is None:
            self.since = self._slow.now
            backlog = self._backlog = Backlog(self._form, self._slow.counts, self.name)
            waiting, self._frames = self._frames, []
            for whole in waiting:
                backlog.add(whole, None, self.since)
            self._slow.fell_behind(self)
        self._bound(backlog)

    def catch_up(self) -> None:
        """Nothing waits any more, or nobody for it."""
        if self._backlog is not None:
            self._backlog = None
            self._slow.caught_up(self)

    def park(self) -> bool:
        """There is no socket for a while: keep what comes. Returns whether something is lost already."""
        lost = bool(self._frames)
        if self._backlog is None:
            self._backlog = Backlog(self._form, self._slow.counts, self.name)
            self._frames = []
            self._slow.fell_behind(self)
        self._writer = _NOWHERE
        self.since = inf  # how long it may take is for others to say
        self._bound(self._backlog)
        return lost

    def resume(self, writer: Writer, form: Format) -> None:
        """There is a socket again. It is given what waited when it calls `take`."""
        self._writer = writer
        self._form = form
        self.since = self._slow.now
        if self._backlog is not None:
            self._backlog.rewrite(form, self._slow.now)
            self.queued = self._backlog.size

    def relieve(self) -> int:
        """Drop all that may be dropped. Returns the unsent bytes that are left."""
        if self._backlog is not None:
            self._backlog.shrink(0)
            self.queued = self._backlog.size
        return self.unsent

    def overflow(self, cause: Overflow) -> None:
        """Have the owner close."""
        if self._full(cause):
            self._slow.give_up(self, cause)
        else:
            self._slow.count(self, self.unsent)

    def discard(self) -> None:
        """Drop all frames."""
        self._frames = []
        self.queued = 0
        if self._backlog is not None:
            self._backlog = Backlog(self._form, self._slow.counts, self.name)

    @property
    def unsent(self) -> int:
        """Bytes here and in the transport."""
        return self.queued + self._writer.buffered

    def by_name(self) -> Counter[str]:
        """Bytes that wait while the peer is behind, by the wire names of their messages."""
        return Counter() if self._backlog is None else self._backlog.by_name()

    def _bound(self, backlog: Backlog) -> None:
        if backlog.size + self._writer.buffered > self._limit_bytes:
            backlog.shrink(max(self._limit_bytes - self._writer.buffered, 0))
        self.queued = backlog.size
        self._slow.count(self, self.unsent)
        if self.unsent > self._limit_bytes:
            self.overflow(Overflow.BYTES)
