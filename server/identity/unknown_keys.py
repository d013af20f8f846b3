"""Key ids that an issuer does not have: how often they may make us ask it, and which need no asking.

The budget is apart from the timed refresh, so that a key that was rotated right after a refresh is found at
once, and ids that are made up cannot hammer the issuer. Pure: `now` is an argument, in monotonic seconds.
"""

BURST = 2
PERIOD_S = 10.0
"""A flood that empties the budget delays a rotated key by this long at most."""
REMEMBERED = 1024
REMEMBERED_S = 60.0
FLOOD_TOLD_S = 60.0


class UnknownKeys:
    """A bucket of two, refilled by one per ten seconds, and a bounded memory of ids known to be unknown."""

    def __init__(self, now: float) -> None:
        self._tokens = float(BURST)
        self._at = now
        self._flood_told_until = float("-inf")
        # Each lives equally long, so the order of insertion is the order of expiry.
        self._until: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def may_ask(self, now: float) -> bool:
        """Take one question to the issuer from the budget."""
        self._tokens = min(BURST, self._tokens + (now - self._at) / PERIOD_S)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def is_flood_news(self, now: float) -> bool:
        """Whether a refused question is worth telling: the first of a minute is."""
        if now < self._flood_told_until:
            return False
        self._flood_told_until = now + FLOOD_TOLD_S
        return True

    def remember(self, kid: str, now: float) -> None:
        """The issuer was just asked and has no such key. When full, the oldest memory goes."""
        self._until.pop(kid, None)
        if len(self._until) >= REMEMBERED:
            del self._until[next(iter(self._until))]
        self._until[kid] = now + REMEMBERED_S

    def remembers(self, kid: str, now: float) -> bool:
        return now < self._until.get(kid, float("-inf"))

    def forget(self) -> None:
        """A new set was loaded: what was unknown may be in it."""
        self._until.clear()
