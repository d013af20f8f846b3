"""What waits to be sent to one player: whole frames in order, bounded in bytes. No I/O.

While the peer keeps up, a turn's frames leave in one write. When it does not, they stay here until their
bytes reach the limit; then the owner is told, once, and decides.
"""

from collections.abc import Callable


class Outbox:
    """Frames for one socket. `wake` is called with the first frame, `full` when the limit is passed."""

    __slots__ = ("_frames", "_full", "_limit_bytes", "_wake", "queued")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._frames: list[bytes] = []
        self._wake: Callable[[], None] = _nobody
        self._full: Callable[[], None] = _nobody
        self.queued = 0

    def attach(self, *, wake: Callable[[], None], full: Callable[[], None]) -> None:
        """Say who writes the frames out, and who is asked when there are too many."""
        self._wake = wake
        self._full = full

    def put(self, frame: bytes) -> None:
        frames = self._frames
        frames.append(frame)
        self.queued += len(frame)
        if len(frames) == 1:
            self._wake()
        if self.queued > self._limit_bytes:
            self._full()

    def take(self) -> list[bytes]:
        """All frames, which are then no longer here."""
        frames = self._frames
        self._frames = []
        self.queued = 0
        return frames

    def discard(self) -> int:
        """Drop all frames. Returns how many."""
        return len(self.take())

    @property
    def limit_bytes(self) -> int:
        return self._limit_bytes


def _nobody() -> None:
    """Before a socket is attached nothing needs to be told."""
