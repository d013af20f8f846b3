"""Login families that have ended, in memory: the one function that every entrance asks.

The database is the record (`storage/revocations.py`); this is loaded from it at start, told of each ending
once that is durable, and keeps up with what other processes decide (`revocation_feed.py`). Bounded by time:
an entry goes when the last session token of its family could no longer be shown, and a day has passed, in
case the clock was set back.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from server.clock import Clock
from server.storage.revocations import SPARE_S, Ended, Revoked

SWEEP_MIN = 1024
MINUTE = 60

OnEnded = Callable[[Sequence[Revoked]], None]
"""Told of logins that have just ended, to close what they hold open."""


class Revocations:
    """The deny list of families. `ended` counts by reason what became known since the start."""

    def __init__(self, clock: Clock, on_ended: OnEnded | None = None) -> None:
        self._clock = clock
        self.on_ended = on_ended
        self._until: dict[str, int] = {}
        self._sweep_at = SWEEP_MIN
        self.ended: Counter[Ended] = Counter(dict.fromkeys(Ended, 0))

    def __len__(self) -> int:
        return len(self._until)

    def is_revoked(self, family_id: str) -> bool:
        """Whether this login has ended. Certain for session tokens; refresh asks the database as well."""
        return family_id in self._until

    def load(self, revoked: Iterable[Revoked]) -> None:
        """Refuse these families from now on; what they held open is gone already."""
        self._remember(revoked)

    def add(self, revoked: Iterable[Revoked]) -> None:
        """Refuse these families from now on, and close what they hold open. Known ones are passed over."""
        news = [item for item in revoked if item.family_id not in self._until]
        if not news:
            return
        self._remember(news)
        self.ended.update(item.reason for item in news)
        if self.on_ended is not None:
            self.on_ended(news)

    def _remember(self, revoked: Iterable[Revoked]) -> None:
        # Whole minutes, so that many entries share one number: what 100,000 of them weigh is measured.
        shared: dict[int, int] = {}
        for item in revoked:
            until = -(-item.session_exp // MINUTE) * MINUTE + SPARE_S
            self._until[item.family_id] = shared.setdefault(until, until)
        if len(self._until) >= self._sweep_at:
            self._sweep()

    def _sweep(self) -> None:
        now = self._clock.wall()
        self._until = {family: until for family, until in self._until.items() if until > now}
        # Doubling keeps the cost of sweeping constant per revocation.
        self._sweep_at = max(SWEEP_MIN, 2 * len(self._until))
