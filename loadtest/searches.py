"""The searches for others of all players of a worker: who waits, and whether all of a match were told of it.

Pure. Of players in other workers nothing is known, and so nothing is asked.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

GRACE_NS: Final = 1_000_000_000
"""So much later than others one of a match may be told of it."""
APART: Final = "players who ask for each other were not brought together"
UNTOLD: Final = "a match was told to some of its players only"


class Waiting:
    """The tickets of one player that have not found anybody."""

    def __init__(self, user_id: str, region: str) -> None:
        self.user_id = user_id
        self.region = region
        self.open: dict[str, tuple[int, int]] = {}
        """When each was due, and when it was begun; the oldest first."""

    def since_ns(self) -> int | None:
        """When the oldest was given, as far as there is one."""
        return next(iter(self.open.values()))[1] if self.open else None


class Searches:
    """`join` it with what a player waits for, tell what they are told, and `leave` it."""

    def __init__(self) -> None:
        self._regions: dict[str, dict[str, Waiting]] = {}
        self._members: dict[str, Waiting] = {}
        self._told: dict[frozenset[str], tuple[Counter[str], int]] = {}
        """Of matches that were not told to all yet: how often to whom, and when last. By their players."""

    def __len__(self) -> int:
        """How many matches are told to some only."""
        return len(self._told)

    def join(self, waiting: Waiting) -> None:
        self._members[waiting.user_id] = waiting
        self._regions.setdefault(waiting.region, {})[waiting.user_id] = waiting

    def tell(self, user_id: str, users: Iterable[str], now_ns: int) -> None:
        """This player was told of a match of these ones."""
        match = frozenset(users)
        told = self._told.get(match, (Counter[str](), 0))[0]
        told[user_id] += 1
        self._told[match] = told, now_ns
        self._forget_if_told(match)

    def leave(self, waiting: Waiting, count: int, now_ns: int, patience_ns: int) -> Iterator[str]:
        """The player waits no more. What the server did wrong by them.

        So many who wait for each other for so long it should have brought together.
        """
        del self._members[waiting.user_id], self._regions[waiting.region][waiting.user_id]
        if _waits(waiting, now_ns, patience_ns):
            others = self._regions[waiting.region].values()
            if sum(_waits(other, now_ns, patience_ns) for other in others) >= count - 1:
                yield APART
        for match in [match for match in self._told if waiting.user_id in match]:
            told, last_ns = self._told[match]
            if now_ns - last_ns >= GRACE_NS and told[waiting.user_id] < max(told.values()):
                yield UNTOLD
            self._forget_if_told(match)

    def _forget_if_told(self, match: frozenset[str]) -> None:
        """As far as anybody here can tell, who has not left."""
        told, _ = self._told[match]
        here = [told[user_id] for user_id in match if user_id in self._members]
        if not here or min(here) == max(told.values()):
            del self._told[match]


def _waits(waiting: Waiting, now_ns: int, patience_ns: int) -> bool:
    since_ns = waiting.since_ns()
    return since_ns is not None and now_ns - since_ns >= patience_ns
