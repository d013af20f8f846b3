"""One sweep for all connections: pings, silent peers, unanswered closes. No timer per socket.

Time here is virtual: it advances with the clock, but at most by twice the sweep's interval, so that a stall
of our own loop never counts against a peer.
"""

from collections.abc import Callable
from typing import Protocol, Self

from server.sections import SocketSettings
from server.transport.round_trips import Ping, RoundTrips


class Connection(Protocol):
    """What the sweep needs of a connection; it owns the three times."""

    heard: bool
    """Bytes arrived since the last sweep."""
    seen_at: float
    ping_at: float
    closing_at: float | None
    """When our close frame went out; None while open."""

    def ping(self, ping: Ping) -> None: ...
    def give_up(self) -> None: ...
    def abort(self) -> None: ...


class Keepalive:
    """Every open connection, swept every `interval_s` seconds: so late at most is a silent one found."""

    def __init__(
        self,
        round_trips: RoundTrips,
        *,
        interval_s: float,
        ping_interval_s: float,
        pong_timeout_s: float,
        close_timeout_s: float,
    ) -> None:
        self.round_trips = round_trips
        self.interval_s = interval_s
        self._ping_interval_s = ping_interval_s
        self._pong_timeout_s = pong_timeout_s
        self._close_timeout_s = close_timeout_s
        self._connections: dict[Connection, Callable[[], None]] = {}
        self._swept_at: float | None = None
        self.now = 0.0
        self.shifted_s = 0.0
        """Seconds by which deadlines were moved because the loop was late, in total."""

    @classmethod
    def configured(cls, limits: SocketSettings, round_trips: RoundTrips) -> Self:
        shortest = min(limits.ping_interval_s, limits.pong_timeout_s, limits.close_timeout_s)
        return cls(
            round_trips,
            interval_s=min(1.0, shortest / 4),
            ping_interval_s=limits.ping_interval_s,
            pong_timeout_s=limits.pong_timeout_s,
            close_timeout_s=limits.close_timeout_s,
        )

    def __len__(self) -> int:
        return len(self._connections)

    def add(
        self, connection: Connection, jitter: float, on_removed: Callable[[], None] = lambda: None
    ) -> None:
        """Watch a connection. `jitter` in [0, 1) brings its first ping forward, by up to half an interval.

        `on_removed` is called once, by `remove`.
        """
        connection.seen_at = self.now
        connection.ping_at = self.now + self._ping_interval_s * (1 - jitter / 2)
        self._connections[connection] = on_removed

    def remove(self, connection: Connection) -> None:
        """TCP is gone. Again does nothing."""
        on_removed = self._connections.pop(connection, None)
        if on_removed is not None:
            on_removed()

    def sweep(self, clock: float) -> None:
        """Look at every connection once. `clock` is monotonic seconds."""
        elapsed = self.interval_s if self._swept_at is None else clock - self._swept_at
        advance = min(elapsed, 2 * self.interval_s)
        self._swept_at = clock
        self.shifted_s += elapsed - advance
        self.now += advance
        now, ping = self.now, self.round_trips.ping()
        pong_timeout_s, close_timeout_s = self._pong_timeout_s, self._close_timeout_s
        # No call for each: with thousands of idle sockets this loop is most of what the server does.
        for connection in list(self._connections):
            if connection.heard:
                connection.heard = False
                connection.seen_at = now
            if connection.closing_at is not None:
                if now - connection.closing_at >= close_timeout_s:
                    connection.abort()
            elif now - connection.seen_at >= pong_timeout_s:
                connection.give_up()
            elif now >= connection.ping_at:
                connection.ping_at = now + self._ping_interval_s
                connection.ping(ping)
