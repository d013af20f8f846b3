"""What all listeners share of admission: the limits, their clock, their sweep, their lines in the log.

The time that deadlines are measured by stands still while our own event loop does, so that a stall of ours
never counts against a peer.
"""

import asyncio
import functools
from collections.abc import Callable

import structlog

from server.clock import Clock
from server.config import AdmissionSettings
from server.web.address import ClientAddresses, site_of
from server.web.admission import Admission
from server.web.connections import Connection, Connections, Peer
from server.web.refusals import Reason, Refusals
from server.web.turns import Turns

REQUESTS_AT_ONCE = 32
"""First requests of connections that are looked at in one turn of the loop: some ten milliseconds' work."""

log = structlog.get_logger("lockgate.web")


class Entrance:
    """Admission of one server. `start` its sweep within the event loop, and `stop` it."""

    def __init__(self, settings: AdmissionSettings, addresses: ClientAddresses, clock: Clock) -> None:
        self.addresses = addresses
        self._clock = clock
        self.refusals = Refusals(
            {
                Reason.HANDSHAKES: settings.handshakes_per_s,
                Reason.SOCKETS_TOTAL: settings.handshakes_per_s,
                Reason.HANDSHAKES_PER_ADDRESS: settings.handshakes_per_s_per_address,
                Reason.SOCKETS_PER_ADDRESS: settings.handshakes_per_s_per_address,
            }
        )
        self.admission = Admission(settings, self.refusals)
        self.connections = Connections(settings, self.refusals)
        self.turns = Turns(REQUESTS_AT_ONCE)
        """Of the first requests of new connections."""
        self.head_timeout_s = settings.head_timeout_s
        self._interval_s = min(1.0, settings.head_timeout_s / 4)
        self._swept_at = clock.monotonic()
        self._stood_still_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        # Scheduled first, so that nothing below can end the sweeping.
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self.start)
        self.sweep()

    def stop(self) -> None:
        """End what is not yet anything."""
        if self._timer is not None:
            self._timer.cancel()
        self.connections.abort_all()

    @property
    def now(self) -> float:
        """The time for `connections`."""
        return self._clock.monotonic() - self._stood_still_s

    def sweep(self) -> None:
        clock = self._clock.monotonic()
        self._stood_still_s += max(0.0, clock - self._swept_at - 2 * self._interval_s)
        self._swept_at = clock
        self.connections.sweep(self.now)
        if (news := self.refusals.news(clock)) is not None:
            log.warning(
                "admission_refused",
                reason=news.reason,
                address=news.address,
                refused=news.refused,
                of_reason=news.of_reason,
            )

    # ---- sockets

    def judge(self, address: str) -> int:
        """Seconds after which the client at `address` may try again; 0: it may open a socket now."""
        return self.admission.judge(site_of(address), self._clock.monotonic())

    def enter(self, address: str) -> Callable[[], None]:
        """A socket is open: call what this returns once, when its TCP connection is gone."""
        site = site_of(address)
        self.admission.enter(site)
        return functools.partial(self.admission.leave, site)

    # ---- connections

    def arrive(self, peer: Peer, transport: asyncio.BaseTransport) -> Connection | int:
        """A place for a new TCP connection, or the seconds after which to try again."""
        return self.connections.arrive(peer, self.addresses.site_of_peer(transport), self.now)
