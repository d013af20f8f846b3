"""Who may open a socket: so many in all, so many of one address, and so many a second.

Pure: `now` is an argument. A socket has its place from `enter` to `leave`; between `judge` and `enter`
nothing may await, or more would be let in than there are places. An IPv6 address counts as its /64, which is
the caller's `site`; no site (a Unix socket) is limited only with all the others.
"""

from server.config import AdmissionSettings
from server.ratelimit import Buckets
from server.web.refusals import Reason, Refusals

RATE_KEYS = 50_000
"""Addresses whose rate is remembered at once; about 300 bytes each."""
BURST_S = 10
"""One address may use so many seconds of its rate at once: players behind one router come together."""
FULL_S = 3.0
"""When to ask again for a place that somebody else has to leave first, at the earliest."""
ALL = "all"


class Places:
    """How many there are, in all and of each site."""

    def __init__(self, total: int, per_site: int) -> None:
        self._total = total
        self._per_site = per_site
        self._taken = 0
        self._by_site: dict[str, int] = {}

    def __len__(self) -> int:
        return self._taken

    @property
    def sites(self) -> int:
        return len(self._by_site)

    @property
    def is_full(self) -> bool:
        return 0 < self._total <= self._taken

    def is_full_for(self, site: str) -> bool:
        return 0 < self._per_site <= self._by_site.get(site, 0)

    def take(self, site: str) -> None:
        self._taken += 1
        if site and self._per_site:
            self._by_site[site] = self._by_site.get(site, 0) + 1

    def free(self, site: str) -> None:
        """You must call it once for each `take`."""
        self._taken -= 1
        if site and self._per_site:
            left = self._by_site[site] - 1
            if left:
                self._by_site[site] = left
            else:
                del self._by_site[site]


class Admission:
    """The limits on sockets."""

    def __init__(self, settings: AdmissionSettings, refusals: Refusals) -> None:
        self._refusals = refusals
        self.places = Places(settings.sockets_total, settings.sockets_per_address)
        per_address = settings.handshakes_per_s_per_address
        self._rate_of_site = _rate(per_address, BURST_S * per_address, RATE_KEYS)
        self._rate = _rate(settings.handshakes_per_s, settings.handshakes_per_s, 1)

    def judge(self, site: str, now: float) -> int:
        """Seconds after which to try again; 0: there is room, and a handshake is counted."""
        if self.places.is_full:
            return self._refusals.refuse(Reason.SOCKETS_TOTAL, site, now, FULL_S)
        if self.places.is_full_for(site):
            return self._refusals.refuse(Reason.SOCKETS_PER_ADDRESS, site, now, FULL_S)
        # The address first: one that floods must not use up what all share.
        if self._rate_of_site is not None and site:
            verdict = self._rate_of_site.take(site, now)
            if not verdict.granted:
                return self._refusals.refuse(Reason.HANDSHAKES_PER_ADDRESS, site, now, verdict.wait_s)
        if self._rate is not None:
            verdict = self._rate.take(ALL, now)
            if not verdict.granted:
                return self._refusals.refuse(Reason.HANDSHAKES, site, now, verdict.wait_s)
        return 0

    def enter(self, site: str) -> None:
        """A socket was let in. You must call `leave` once when its TCP connection is gone."""
        self.places.take(site)

    def leave(self, site: str) -> None:
        self.places.free(site)


def _rate(per_s: int, burst: int, keys: int) -> Buckets | None:
    return Buckets(burst=burst, per_s=per_s, max_keys=keys) if per_s else None
