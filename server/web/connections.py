"""TCP connections that are no sockets, or not yet: how many there may be, and how long each may take.

Pure: `now` is an argument, in seconds of any steady clock, and what a connection can do is a port. A
connection waits for the head of a request, is served, is answered, and waits idle for the next one; in each
of these it has so much time. One sweep looks at all of them; there is no timer for each.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from server.config import AdmissionSettings
from server.web.admission import FULL_S
from server.web.refusals import Reason, Refusals

PATIENCE_S = 2.0
"""Who has sent no whole request for so long makes room for another."""
LINGER_S = 2.0
"""How long a connection that we have closed may take to be gone."""
TOLD = 256
"""Refused connections that are given the time to read why; more are just ended."""


class Phase(Enum):
    """HEAD waits for a whole head, SERVING has one, ANSWERING says the answer, IDLE has said it."""

    HEAD = "head"
    SERVING = "serving"
    ANSWERING = "answering"
    IDLE = "idle"
    ENDING = "ending"


class Peer(Protocol):
    """The other end of a connection, as its owner handles it."""

    def has_body(self) -> bool:
        """Whether the body of the latest request is there as a whole."""

    def unsent(self) -> int:
        """Bytes that the peer has not taken."""

    def is_closing(self) -> bool: ...

    def end(self, *, too_late: bool) -> None:
        """Close; `too_late`: say so first, with 408."""

    def abort(self) -> None:
        """Drop TCP; what is unsent is lost."""


class Connection:
    """One connection's place. `peer` may change hands, and its owner must then say so here."""

    __slots__ = ("ahead_at", "peer", "phase", "said", "since", "site", "stuck_at", "unsent")

    def __init__(self, peer: Peer, site: str, now: float) -> None:
        self.peer = peer
        self.site = site
        self.phase = Phase.HEAD
        self.since = now
        """When the wait for the head began; for IDLE and ENDING, when that did."""
        self.said = False
        self.ahead_at: float | None = None
        """When the peer began to send the next request during this one."""
        self.unsent = 0
        self.stuck_at = now


class Connections:
    """All of them. Whoever owns one tells what happens to it, and `leave` when it is gone or a socket."""

    def __init__(self, settings: AdmissionSettings, refusals: Refusals) -> None:
        self._total = settings.connections_total
        self._per_site = settings.connections_per_address
        self._head_s = settings.head_timeout_s
        self._request_s = settings.request_timeout_s
        self._refusals = refusals
        # Dictionaries as ordered sets: the first has been in it for longest.
        self._all: dict[Connection, None] = {}
        self._waiting: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}
        self._by_site: dict[str, dict[Connection, None]] = {}
        self._told: dict[Peer, float] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def told(self) -> int:
        """Refused connections that are not gone yet."""
        return len(self._told)

    @property
    def sites(self) -> int:
        """Addresses that are counted."""
        return len(self._by_site)

    # ---- coming and going

    def arrive(self, peer: Peer, site: str, now: float) -> Connection | int:
        """A place for a new connection, or the seconds after which to try again.

        Without a site it counts with all the others only, as a proxy's must.
        """
        of_site = self._by_site.get(site, {}) if site and self._per_site else {}
        if len(of_site) >= self._per_site > 0 and not self._make_room(_longest(of_site), now):
            return self._refusals.refuse(Reason.CONNECTIONS_PER_ADDRESS, site, now, FULL_S)
        if len(self._all) >= self._total > 0 and not self._make_room(self._longest(), now):
            return self._refusals.refuse(Reason.CONNECTIONS_TOTAL, site, now, FULL_S)
        connection = Connection(peer, site, now)
        self._all[connection] = self._waiting[connection] = None
        if site and self._per_site:
            self._by_site.setdefault(site, {})[connection] = None
        return connection

    def leave(self, connection: Connection) -> None:
        """The connection is gone, or none of ours any more. Again does nothing."""
        self._all.pop(connection, None)
        self._waiting.pop(connection, None)
        self._idle.pop(connection, None)
        of_site = self._by_site.get(connection.site)
        if of_site is not None:
            of_site.pop(connection, None)
            if not of_site:
                del self._by_site[connection.site]

    def linger(self, peer: Peer, now: float) -> None:
        """A connection was refused, and may read why. You must call `gone` when it is."""
        if len(self._told) < TOLD:
            self._told[peer] = now
        else:
            peer.abort()

    def gone(self, peer: Peer) -> None:
        self._told.pop(peer, None)

    def abort_all(self) -> None:
        for peer in [*self._told, *(connection.peer for connection in self._all)]:
            peer.abort()

    # ---- what happens on one

    def heard(self, connection: Connection, now: float) -> None:
        """Bytes came."""
        if connection.phase is Phase.HEAD:
            if not connection.said and not connection.site:
                connection.since = now  # proxies may connect ahead of a request
            connection.said = True
        elif not connection.peer.has_body():
            return  # they belong to the request that is being served, or was
        elif connection.phase is Phase.IDLE:
            self._wait_for_head(connection, now)
        elif connection.ahead_at is None:
            connection.ahead_at = now

    def begun(self, connection: Connection, now: float) -> None:
        """The head of a request is whole."""
        if connection.phase is not Phase.HEAD:
            connection.since = now
        self._waiting.pop(connection, None)
        self._idle.pop(connection, None)
        connection.phase, connection.ahead_at = Phase.SERVING, None

    def answering(self, connection: Connection) -> None:
        """The answer begins."""
        if connection.phase is not Phase.ENDING:
            connection.phase = Phase.ANSWERING

    def answered(self, connection: Connection, now: float) -> None:
        """All of the answer was written."""
        if connection.phase is Phase.ENDING or connection not in self._all:
            return
        if connection.ahead_at is not None:
            self._wait_for_head(connection, connection.ahead_at)
        else:
            connection.phase, connection.since = Phase.IDLE, now
            self._idle[connection] = None

    # ---- time

    def sweep(self, now: float) -> None:
        """Look at every connection once."""
        for peer, since in list(self._told.items()):
            if now - since >= LINGER_S:
                peer.abort()
        for connection in list(self._all):
            self._look_at(connection, now)

    def _look_at(self, connection: Connection, now: float) -> None:
        match connection.phase:
            case Phase.ENDING:
                if now - connection.since >= LINGER_S:
                    connection.peer.abort()
            case _ if connection.peer.is_closing():
                self._ending(connection, now)
            case Phase.HEAD:
                if now - connection.since >= self._head_s and (connection.said or connection.site):
                    reason = Reason.HEAD_TIMEOUT if connection.said else Reason.SILENT
                    self._time_out(connection, reason, now)
            case Phase.SERVING if not connection.peer.has_body():
                if now - connection.since >= self._request_s:
                    self._time_out(connection, Reason.BODY_TIMEOUT, now)
            case _:
                self._look_at_unsent(connection, now)

    def _look_at_unsent(self, connection: Connection, now: float) -> None:
        unsent = connection.peer.unsent()
        if unsent == 0 or unsent != connection.unsent:
            connection.unsent, connection.stuck_at = unsent, now
        elif now - connection.stuck_at >= self._request_s:
            self._refusals.count(Reason.NOT_READ, connection.site)
            connection.peer.abort()

    def _time_out(self, connection: Connection, reason: Reason, now: float) -> None:
        self._refusals.count(reason, connection.site)
        self._ending(connection, now)
        connection.peer.end(too_late=reason is not Reason.SILENT)

    def _ending(self, connection: Connection, now: float) -> None:
        connection.phase, connection.since = Phase.ENDING, now
        self._waiting.pop(connection, None)
        self._idle.pop(connection, None)

    def _wait_for_head(self, connection: Connection, since: float) -> None:
        connection.phase, connection.since, connection.said = Phase.HEAD, since, True
        connection.ahead_at = None
        if connection in self._all:
            self._idle.pop(connection, None)
            self._waiting[connection] = None

    def _longest(self) -> Connection | None:
        """Of all, the one that can best be spared: the longest idle, else the longest without a request."""
        return next(iter(self._idle), None) or next(iter(self._waiting), None)

    def _make_room(self, spared: Connection | None, now: float) -> bool:
        """End this one. False if there is none, or if it has not been waited for for long."""
        if spared is None or (spared.phase is Phase.HEAD and now - spared.since < PATIENCE_S):
            return False
        self._refusals.count(Reason.ROOM, spared.site)
        self.leave(spared)
        spared.peer.abort()
        return True


def _longest(of_site: Iterable[Connection]) -> Connection | None:
    """The same, of one address."""
    idle = [each for each in of_site if each.phase is Phase.IDLE]
    spared = idle or [each for each in of_site if each.phase is Phase.HEAD]
    return min(spared, key=lambda each: each.since, default=None)
