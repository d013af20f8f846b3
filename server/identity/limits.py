"""How often somebody may sign in: by the address they come from, and by the player they turn out to be.

The first stands before any work, against guessing and floods; the second after the token was verified, so
that nobody can lock another player out. Of each bucket's refusals one a minute is logged.
"""

import math

import structlog

from server.clock import Clock
from server.config import IdentitySettings
from server.identity.failures import TooManyLogins
from server.ratelimit import Buckets

log = structlog.get_logger("lockgate.identity")


class LoginLimits:
    """The buckets of both limits. A limit of 0 is none."""

    def __init__(self, settings: IdentitySettings, clock: Clock) -> None:
        self._clock = clock
        self._by_address = _buckets(settings.logins_per_minute_per_address, settings.login_limit_keys)
        self._by_subject = _buckets(settings.logins_per_minute_per_subject, settings.login_limit_keys)
        self.refused = {"address": 0, "subject": 0}

    @property
    def keys(self) -> dict[str, int]:
        """Buckets in memory, by limit."""
        return {name: 0 if buckets is None else len(buckets) for name, buckets in self._all().items()}

    @property
    def dropped(self) -> dict[str, int]:
        """Buckets forgotten too early, for too many keys, by limit."""
        return {name: 0 if buckets is None else buckets.dropped for name, buckets in self._all().items()}

    def admit_address(self, address: str) -> None:
        """Count an attempt from `address`, an IPv6 one as its network. Raises `TooManyLogins`."""
        self._take(self._by_address, "address", address, {"address": address})

    def admit_subject(self, issuer: str, subject: str) -> None:
        """Count a login of a verified player. Raises `TooManyLogins`."""
        # A subject holds no line feed, so the two cannot run into each other.
        key = f"{issuer}\n{subject}"
        self._take(self._by_subject, "subject", key, {"issuer": issuer, "subject": subject})

    def _take(self, buckets: Buckets | None, limit: str, key: str, who: dict[str, str]) -> None:
        if buckets is None:
            return
        verdict = buckets.take(key, self._clock.monotonic())
        if verdict.granted:
            return
        self.refused[limit] += 1
        retry_after_s = max(1, math.ceil(verdict.wait_s - 1e-6))
        if verdict.news:
            log.warning("logins_limited", limit=limit, retry_after_s=retry_after_s, **who)
        raise TooManyLogins(retry_after_s)

    def _all(self) -> dict[str, Buckets | None]:
        return {"address": self._by_address, "subject": self._by_subject}


def _buckets(per_minute: int, max_keys: int) -> Buckets | None:
    """A minute's worth at once, then spread over the minute."""
    return Buckets(burst=per_minute, per_s=per_minute / 60, max_keys=max_keys) if per_minute else None
