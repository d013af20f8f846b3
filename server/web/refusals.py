"""Who was turned away and why: the counts, when they may come again, and what the log is told.

Pure: `now` is an argument, in seconds of any steady clock. A flood costs a constant amount of memory and one
line in the log per `NEWS_S`.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

NEWS_S = 10.0
SITES = 256
"""Addresses counted between two lines of the log; those beyond are counted in the sum alone."""
FURTHEST_S = 30.0
"""Nobody is sent away for longer because of others; then the seconds are given out again from the first."""
USUAL_PER_S = 500.0
"""How many may come again in one second where no rate is set."""


class Reason(StrEnum):
    """Why a socket or a connection was refused, or ended before it had become anything."""

    SOCKETS_TOTAL = "sockets_total"
    SOCKETS_PER_ADDRESS = "sockets_per_address"
    HANDSHAKES = "handshakes_per_s"
    HANDSHAKES_PER_ADDRESS = "handshakes_per_s_per_address"
    CONNECTIONS_TOTAL = "connections_total"
    CONNECTIONS_PER_ADDRESS = "connections_per_address"
    ROOM = "room"
    """Idle, or silent for too long, when another needed the place."""
    TLS = "tls"
    SILENT = "silent"
    HEAD_TIMEOUT = "head_timeout"
    BODY_TIMEOUT = "body_timeout"
    NOT_READ = "not_read"
    """The peer did not take its answer."""


USUAL = frozenset({Reason.ROOM, Reason.TLS, Reason.SILENT})
"""What well-behaved clients do too, such as browsers that connect ahead: counted, but no news."""


@dataclass(frozen=True, slots=True)
class News:
    """What happened since the last line: how often in all, the commonest reason, and who it met most."""

    refused: int
    reason: Reason
    of_reason: int
    address: str


class Refusals:
    """Every refusal passes here. `per_s`: how many may be told to come again in the same second."""

    def __init__(self, per_s: Mapping[Reason, float]) -> None:
        self.counts: dict[str, int] = dict.fromkeys(Reason, 0)
        self._spreads = {reason: _Spread(per_s.get(reason) or USUAL_PER_S) for reason in Reason}
        self._since: Counter[tuple[Reason, str]] = Counter()
        self._quiet_until = float("-inf")

    def count(self, reason: Reason, site: str) -> None:
        """Note a refusal of somebody who cannot be told anything."""
        self.counts[reason] += 1
        if reason not in USUAL:
            key = (reason, site)
            self._since[key if key in self._since or len(self._since) < SITES else (reason, "")] += 1

    def refuse(self, reason: Reason, site: str, now: float, wait_s: float = 0.0) -> int:
        """Note a refusal. Returns after how many seconds to come again, at least `wait_s`.

        Those who are refused together are told different seconds, so that they do not come back at once.
        """
        self.count(reason, site)
        return max(1, math.ceil(max(self._spreads[reason].wait_s(now), wait_s)))

    def news(self, now: float) -> News | None:
        """What the log should be told now, if anything. Forgets what it tells."""
        if not self._since or now < self._quiet_until:
            return None
        self._quiet_until = now + NEWS_S
        by_reason: Counter[Reason] = Counter()
        for (reason, _), count in self._since.items():
            by_reason[reason] += count
        ((reason, of_reason),) = by_reason.most_common(1)
        sites = Counter({site: count for (why, site), count in self._since.items() if why is reason and site})
        address = sites.most_common(1)[0][0] if sites else ""
        self._since.clear()
        return News(by_reason.total(), reason, of_reason, address)


class _Spread:
    """Gives out the coming seconds, so many times each."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s
        self._next_at = float("-inf")

    def wait_s(self, now: float) -> float:
        at = max(self._next_at, now)
        if at - now > FURTHEST_S:
            at = now
        self._next_at = at + self._step_s
        return at - now
