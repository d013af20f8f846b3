"""How often somebody may sign in or refresh: by their address, and by the player or login they prove to be.

The first stands before any work, against guessing and floods; the second after the token was verified, so
that nobody can lock another player out. Of each bucket's refusals one a minute is logged.
"""

import math

import structlog

from server.clock import Clock
from server.identity.failures import TooManyLogins, TooManyRefreshes
from server.ratelimit import Buckets
from server.sections import IdentitySettings, SessionSettings

log = structlog.get_logger("lockgate.identity")


class _Limit:
    """One kind of bucket, or none: a limit of 0."""

    def __init__(self, name: str, buckets: Buckets | None, clock: Clock) -> None:
        self.name = name
        self._buckets = buckets
        self._clock = clock
        self.refused = 0

    def __len__(self) -> int:
        return 0 if self._buckets is None else len(self._buckets)

    @property
    def dropped(self) -> int:
        return 0 if self._buckets is None else self._buckets.dropped

    def take(self, key: str, event: str, who: dict[str, str]) -> int:
        """Seconds to wait, 0 if there is a token in the bucket of `key`, which is taken then."""
        if self._buckets is None:
            return 0
        verdict = self._buckets.take(key, self._clock.monotonic())
        if verdict.granted:
            return 0
        self.refused += 1
        retry_after_s = max(1, math.ceil(verdict.wait_s - 1e-6))
        if verdict.news:
            log.warning(event, limit=self.name, retry_after_s=retry_after_s, **who)
        return retry_after_s


class _Limits:
    """What the metrics read, each by the limit's name."""

    all: tuple[_Limit, ...]

    @property
    def refused(self) -> dict[str, int]:
        return {limit.name: limit.refused for limit in self.all}

    @property
    def keys(self) -> dict[str, int]:
        """Buckets in memory."""
        return {limit.name: len(limit) for limit in self.all}

    @property
    def dropped(self) -> dict[str, int]:
        """Buckets forgotten too early, for too many keys."""
        return {limit.name: limit.dropped for limit in self.all}


class LoginLimits(_Limits):
    """The buckets of both login limits."""

    def __init__(self, settings: IdentitySettings, clock: Clock) -> None:
        keys = settings.login_limit_keys
        self._address = _Limit("address", _a_minute(settings.logins_per_minute_per_address, keys), clock)
        self._subject = _Limit("subject", _a_minute(settings.logins_per_minute_per_subject, keys), clock)
        self.all = (self._address, self._subject)

    def admit_address(self, address: str) -> None:
        """Count an attempt from `address`, an IPv6 one as its network. Raises `TooManyLogins`."""
        if wait_s := self._address.take(address, "logins_limited", {"address": address}):
            raise TooManyLogins(wait_s)

    def admit_subject(self, issuer: str, subject: str) -> None:
        """Count a login of a verified player. Raises `TooManyLogins`."""
        # A subject holds no line feed, so the two cannot run into each other.
        key = f"{issuer}\n{subject}"
        if wait_s := self._subject.take(key, "logins_limited", {"issuer": issuer, "subject": subject}):
            raise TooManyLogins(wait_s)


class RefreshLimits(_Limits):
    """The buckets of both refresh limits."""

    def __init__(self, settings: SessionSettings, clock: Clock) -> None:
        keys = settings.refresh_limit_keys
        self._address = _Limit("address", _a_minute(settings.refreshes_per_minute_per_address, keys), clock)
        every_s = settings.refresh_every_s
        by_family = (
            Buckets(burst=settings.refresh_burst, per_s=1 / every_s, max_keys=keys) if every_s else None
        )
        self._family = _Limit("family", by_family, clock)
        self.all = (self._address, self._family)

    def admit_address(self, address: str) -> None:
        """Count an attempt from `address`, an IPv6 one as its network. Raises `TooManyRefreshes`."""
        if wait_s := self._address.take(address, "refreshes_limited", {"address": address}):
            raise TooManyRefreshes(wait_s)

    def admit_family(self, family_id: str) -> None:
        """Count a rotation of a login. Raises `TooManyRefreshes`."""
        if wait_s := self._family.take(family_id, "refreshes_limited", {"family_id": family_id}):
            raise TooManyRefreshes(wait_s)


def _a_minute(per_minute: int, max_keys: int) -> Buckets | None:
    """A minute's worth at once, then spread over the minute."""
    return Buckets(burst=per_minute, per_s=per_minute / 60, max_keys=max_keys) if per_minute else None
