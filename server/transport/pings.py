"""The pings of one socket: which is owed an answer, and what answers tell of the way and of what arrived."""

from server.transport.round_trips import Ping, RoundTrips


class Pings:
    """Counts in messages, as the socket writes them."""

    __slots__ = ("_arrived", "_asked", "_read_at_once", "_written_before", "rtt_s")

    def __init__(self) -> None:
        self._asked: Ping | None = None
        self._read_at_once = True
        self._written_before = self._arrived = 0
        self.rtt_s: float | None = None
        """What the last round trip took; None: none was measured yet."""

    def ask(self, ping: Ping, written: int, *, reading: bool) -> bytes:
        """The frame to be sent when so many messages were written. Who owes a pong is asked for it again."""
        if self._asked is None:
            self._asked = ping
            self._read_at_once = reading
            self._written_before = written
        return self._asked.frame

    def interrupted(self) -> None:
        """The socket is not read for a while: an answer may have to wait for us."""
        self._read_at_once = False

    def answered(self, tag: bytes, round_trips: RoundTrips) -> None:
        """A pong came. What nobody asked for tells nothing (RFC 6455, section 5.5.3)."""
        ping = self._asked
        if ping is None or tag != ping.tag:
            return
        self._asked = None
        self._arrived = self._written_before + 1  # the ping is one too
        took = round_trips.answered(ping, read_at_once=self._read_at_once)
        if took is not None:
            self.rtt_s = took

    def unconfirmed(self, written: int) -> bool:
        """Whether of so many messages some may not have arrived."""
        return written > self._arrived
