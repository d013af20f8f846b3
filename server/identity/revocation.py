"""Login families that have ended, in memory, for as long as one of their session tokens could be shown.

The database is the record; this is what every entrance asks. It is loaded at start and added to after each
durable revocation. Bounded by time: an entry goes when its last session token has expired.
"""

from collections.abc import Iterable

from server.clock import Clock
from server.storage.families import Revoked

SWEEP_MIN = 1024


class Revocations:
    """The deny list of families."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, int] = {}
        self._sweep_at = SWEEP_MIN

    def __len__(self) -> int:
        return len(self._until)

    def is_revoked(self, family_id: str) -> bool:
        """Whether this login has ended. Certain for session tokens; refresh asks the database as well."""
        return family_id in self._until

    def add(self, revoked: Iterable[Revoked]) -> None:
        """Refuse these families from now on."""
        for item in revoked:
            self._until[item.family_id] = max(item.session_exp, self._until.get(item.family_id, 0))
        if len(self._until) >= self._sweep_at:
            now = self._clock.wall()
            self._until = {family: until for family, until in self._until.items() if until > now}
            # Doubling keeps the cost of sweeping constant per revocation.
            self._sweep_at = max(SWEEP_MIN, 2 * len(self._until))
