"""One-time tickets: what a browser shows instead of a token where it cannot send a header.

A ticket stands for the session token that bought it, for 30 seconds and one attempt. It is worth no more than
that token: at the end the same question is asked about both. In memory, bounded, and gone with the process.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

from server.clock import Clock
from server.identity import base64url
from server.identity.failures import TicketsFull
from server.identity.tokens import SessionClaims
from server.ids import Ids

TICKET_TTL_S = 30
PER_FAMILY = 8

log = structlog.get_logger("lockgate.identity")


class TicketRefusal(StrEnum):
    """Why a ticket did not count."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ENDED = "ended"
    """The session it stands for has expired or was revoked."""


@dataclass(frozen=True, slots=True)
class _Unused:
    claims: SessionClaims
    until: float
    """Monotonic."""


class Tickets:
    """Unused tickets. A login's ninth pushes out its oldest; a full store gives no more."""

    def __init__(
        self, still_good: Callable[[SessionClaims], bool], clock: Clock, ids: Ids, *, max_tickets: int
    ) -> None:
        self._still_good = still_good
        self._clock = clock
        self._ids = ids
        self._max_tickets = max_tickets
        # Both keep the order of issue. All tickets live equally long, so the oldest is the next to expire.
        self._unused: OrderedDict[str, _Unused] = OrderedDict()
        self._of_family: dict[str, dict[str, None]] = {}
        self.issued = 0
        self.redeemed = 0
        self.pushed_out = 0
        self.not_given = 0
        self.refused = dict.fromkeys(TicketRefusal, 0)

    def __len__(self) -> int:
        return len(self._unused)

    def issue(self, claims: SessionClaims) -> str:
        """A ticket for whoever these claims are about. Raises `TicketsFull`."""
        now = self._clock.monotonic()
        self._forget_expired(now)
        own = self._of_family.get(claims.family_id, {})
        if len(own) >= PER_FAMILY:
            self._take(next(iter(own)))
            self.pushed_out += 1
        if len(self._unused) >= self._max_tickets:
            self.not_given += 1
            if self.not_given == 1:
                log.error("tickets_full", setting="session.tickets_max")
            raise TicketsFull(max(1, math.ceil(next(iter(self._unused.values())).until - now)))
        ticket = base64url.encode(self._ids.ticket())
        self._unused[ticket] = _Unused(claims, now + TICKET_TTL_S)
        self._of_family.setdefault(claims.family_id, {})[ticket] = None
        self.issued += 1
        return ticket

    def redeem(self, ticket: str) -> SessionClaims | None:
        """Whom the ticket stands for; None if it does not count. It is used up either way."""
        found = self._take(ticket)
        if found is None:
            reason = TicketRefusal.UNKNOWN
        elif found.until <= self._clock.monotonic():
            reason = TicketRefusal.EXPIRED
        elif not self._still_good(found.claims):
            reason = TicketRefusal.ENDED
        else:
            self.redeemed += 1
            return found.claims
        self.refused[reason] += 1
        return None

    def _forget_expired(self, now: float) -> None:
        while self._unused:
            oldest = next(iter(self._unused))
            if self._unused[oldest].until > now:
                return
            self._take(oldest)

    def _take(self, ticket: str) -> _Unused | None:
        found = self._unused.pop(ticket, None)
        if found is not None:
            own = self._of_family[found.claims.family_id]
            del own[ticket]
            if not own:
                del self._of_family[found.claims.family_id]
        return found
