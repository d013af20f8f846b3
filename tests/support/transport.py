"""A transport that records what is written, and a connection on it that is fed by hand."""

import asyncio
from collections.abc import Callable

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # imported there

from protocol.envelope import Format
from protocol.frames import build_masked
from server.sessions.outbox import Outbox
from server.sessions.slow_receivers import Overflow, SlowReceivers
from server.transport.compression import Agreed
from server.transport.cork import Cork
from server.transport.keepalive import Keepalive
from server.transport.round_trips import RoundTrips
from server.transport.websocket import WebSocket
from tests.support.clock import ManualClock

KEY = b"\x01\x02\x03\x04"


def masked(first: int, payload: bytes, key: bytes = KEY) -> bytes:
    """One frame as a client sends it."""
    return build_masked(first, payload, key, apply_mask)


class RecordingTransport(asyncio.Transport):
    """Keeps every write. `blocked` makes it hold bytes back as a full kernel buffer would."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.eof = False
        self.closed = False
        self.aborted = False
        self.reading = True
        self.blocked = False
        self.buffered = 0
        self.high: int | None = None

    @property
    def written(self) -> bytes:
        return b"".join(self.writes)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        if self.blocked:
            self.buffered += len(data)

    def write_eof(self) -> None:
        self.eof = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.buffered


class RecordingListener:
    """Keeps what a connection tells; `on_message` may act on it."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, bool]] = []
        self.closes: list[tuple[int, str]] = []
        self.losses = 0
        self.dropped = False
        self.on_message: Callable[[bytes], None] | None = None

    def received(self, payload: bytes, *, binary: bool) -> None:
        self.messages.append((payload, binary))
        if self.on_message is not None:
            self.on_message(payload)

    def closed(self, code: int, reason: str, *, dropped: bool) -> None:
        self.dropped = dropped
        self.closes.append((code, reason))

    def lost(self) -> None:
        self.losses += 1


class Wire:
    """A server-side connection whose event loop is turned by hand: `turn()` runs what was called soon."""

    def __init__(
        self, *, max_message_bytes: int = 4096, max_fragments: int = 64, agreed: Agreed | None = None
    ) -> None:
        self.soon: list[Callable[[], None]] = []
        self.transport = RecordingTransport()
        self.listener = RecordingListener()
        self.slow = SlowReceivers(max_age_s=10, max_bytes=1 << 28)
        self.outbox = Outbox("session", Format.JSON, 1 << 20, self.slow)
        self.overflows: list[Overflow] = []
        self.clock = ManualClock()
        self.on_time = True
        self.round_trips = RoundTrips(self.clock.monotonic, lambda: self.on_time)
        self.keepalive = Keepalive(
            self.round_trips, interval_s=1, ping_interval_s=15, pong_timeout_s=25, close_timeout_s=2
        )
        self.socket = WebSocket(
            self.listener,
            self.outbox,
            Cork(self.soon.append),
            self.keepalive,
            max_message_bytes=max_message_bytes,
            max_fragments=max_fragments,
            agreed=agreed,
        )
        self.outbox.attach(self.socket, self._overflow)
        self.socket.connection_made(self.transport)
        self.keepalive.add(self.socket, jitter=0.0)

    def _overflow(self, cause: Overflow) -> bool:
        self.overflows.append(cause)
        return True

    def turn(self) -> None:
        soon, self.soon[:] = list(self.soon), []
        for call in soon:
            call()

    def settle(self) -> None:
        """Turn until nothing is to be done."""
        while self.soon:
            self.turn()

    def sweep(self, seconds: int = 1) -> None:
        """Let so many seconds go by, with a sweep in each."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.keepalive.sweep(self.clock.monotonic())
            self.turn()

    def feed(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.socket.data_received(chunk)
        self.turn()
