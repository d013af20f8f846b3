"""Our pings, and how long their answers took.

One ping for all sockets that are asked in a sweep, told apart from other sweeps' by its payload: a pong that
carries something else answers nothing of ours (RFC 6455, section 5.5.3). Knows no socket.
"""

from collections.abc import Callable
from typing import NamedTuple

from protocol.frames import FIN_PING, build
from server.observe.histogram import Histogram

ROUND_TRIP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0)
"""Bounds: from the same building to a phone in a tunnel."""
TAG_BYTES = 4
"""Of a ping's payload. A count: not a secret, since who lies about it makes only its own number wrong."""


class Ping(NamedTuple):
    """What goes out, what has to come back, and when it was sent, in monotonic seconds."""

    frame: bytes
    tag: bytes
    sent_at: float


class RoundTrips:
    """Makes pings and counts the times of their answers.

    `on_time`: whether the event loop reads at once what arrives. While it does not, an answer may have waited
    here and not on its way, so its time is not taken.
    """

    def __init__(self, monotonic: Callable[[], float], on_time: Callable[[], bool]) -> None:
        self._monotonic = monotonic
        self._on_time = on_time
        self._made = 0
        self.times = Histogram(ROUND_TRIP_S)
        self.left_out = 0
        """Answers whose time was not taken, because it would have been ours."""

    def ping(self) -> Ping:
        self._made += 1
        tag = (self._made % (1 << 8 * TAG_BYTES)).to_bytes(TAG_BYTES)
        return Ping(build(FIN_PING, tag), tag, self._monotonic())

    def answered(self, ping: Ping, *, read_at_once: bool) -> float | None:
        """Count the answer that has just been read, and return its time in seconds if that is the peer's.

        `read_at_once`: false when the socket was not being read all the time since the ping.
        """
        if not (read_at_once and self._on_time()):
            self.left_out += 1
            return None
        took = self._monotonic() - ping.sent_at
        self.times.observe(took)
        return took
