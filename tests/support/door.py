"""Connections without TCP, whose time is turned by hand."""

from typing import Any

from server.config import AdmissionSettings
from server.web.connections import Connection, Connections
from server.web.refusals import Refusals
from tests.support.clock import ManualClock


class FakePeer:
    """A connection without one: says what it was made to do. TCP ends only when the test says so."""

    def __init__(self) -> None:
        self.body = True
        self.left = 0
        self.closing = False
        self.done: list[str] = []

    def has_body(self) -> bool:
        return self.body

    def unsent(self) -> int:
        return self.left

    def is_closing(self) -> bool:
        return self.closing

    def end(self, *, too_late: bool) -> None:
        self.closing = True
        self.done.append("408" if too_late else "closed")

    def abort(self) -> None:
        self.closing = True
        self.done.append("aborted")


class Door:
    """Connections, a clock, and the counts."""

    def __init__(self, **limits: Any) -> None:
        self.clock = ManualClock()
        self.refusals = Refusals({})
        self.connections = Connections(
            AdmissionSettings(**({"head_timeout_s": 10, "request_timeout_s": 20} | limits)), self.refusals
        )

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def come(self, site: str = "a") -> tuple[Connection, FakePeer]:
        peer = FakePeer()
        place = self.connections.arrive(peer, site, self.now)
        assert isinstance(place, Connection)
        return place, peer

    def is_refused(self, site: str = "a") -> bool:
        return isinstance(self.connections.arrive(FakePeer(), site, self.now), int)

    def ask(self, place: Connection) -> None:
        self.connections.heard(place, self.now)
        self.connections.begun(place, self.now)

    def answer(self, place: Connection) -> None:
        self.connections.answering(place)
        self.connections.answered(place, self.now)

    def pass_time(self, seconds: float) -> None:
        """Second by second, as the sweep does."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.connections.sweep(self.now)

    @property
    def counted(self) -> dict[str, int]:
        return {reason: count for reason, count in self.refusals.counts.items() if count}
