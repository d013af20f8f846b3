"""Token buckets, one per key, in bounded memory. Pure: `now` is an argument, in seconds of any steady clock.

A bucket is one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T
I.371), so a full bucket and a key that was never seen are the same thing and only used keys cost memory.

When there are too many keys, a bucket that is full again is dropped, which forgets nothing; else the fullest,
which forgets least. An exhausted bucket is never dropped: while there are only such, new keys are refused.
"""

import heapq
from dataclasses import dataclass

TOLERANCE_S = 1e-6
"""Rounding of the clock and of our sums, in favour of the caller."""
SWEPT_EACH_TIME = 2
"""Buckets looked at per take for being full again; more than one, so that idle memory shrinks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a token was had; if not, in how many seconds, and whether this is worth a line in the log."""

    granted: bool
    wait_s: float = 0.0
    news: bool = False


GRANTED = Verdict(True)


@dataclass(slots=True)
class _Bucket:
    full_at: float
    told_until: float = float("-inf")


class Buckets:
    """A bucket of `burst` tokens for each key, refilled at `per_s` tokens a second; at most `max_keys`.

    Of the refusals of a bucket one per `news_s` seconds is news.
    """

    def __init__(self, *, burst: int, per_s: float, max_keys: int, news_s: float = 60.0) -> None:
        if burst < 1 or per_s <= 0 or max_keys < 1:
            raise ValueError("a bucket needs a burst, a rate and a key")
        self._token_s = 1 / per_s
        self._spare_s = (burst - 1) * self._token_s
        self._max_keys = max_keys
        self._news_s = news_s
        self._buckets: dict[str, _Bucket] = {}
        # Each key once, by a time that is never later than its bucket's: brought up to date when it surfaces.
        self._fullest: list[tuple[float, str]] = []
        self._newcomers_told_until = float("-inf")
        self.dropped = 0
        """Buckets forgotten before they were full again."""
        self.crowded_out = 0
        """Takes refused because every bucket in memory was exhausted."""

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, now: float) -> Verdict:
        """Take a token from the bucket of `key`."""
        self._sweep(now)
        bucket = self._buckets.get(key)
        if bucket is None:
            wait_s = self._make_room(now)
            if wait_s > 0:
                return self._refuse_newcomer(wait_s, now)
            bucket = self._buckets[key] = _Bucket(now)
            heapq.heappush(self._fullest, (now, key))
        full_at = max(bucket.full_at, now)
        wait_s = full_at - now - self._spare_s
        if wait_s <= TOLERANCE_S:
            bucket.full_at = full_at + self._token_s
            return GRANTED
        news = now >= bucket.told_until
        if news:
            bucket.told_until = now + self._news_s
        return Verdict(False, wait_s, news)

    def _make_room(self, now: float) -> float:
        """Seconds until a new key can have a bucket; 0 if there is room, made if need be."""
        if len(self._buckets) < self._max_keys:
            return 0.0
        full_at = self._surface()
        wait_s = full_at - now - self._spare_s
        if wait_s > TOLERANCE_S:
            return wait_s
        self._drop_fullest()
        self.dropped += full_at > now
        return 0.0

    def _refuse_newcomer(self, wait_s: float, now: float) -> Verdict:
        self.crowded_out += 1
        news = now >= self._newcomers_told_until
        if news:
            self._newcomers_told_until = now + self._news_s
        return Verdict(False, wait_s, news)

    def _sweep(self, now: float) -> None:
        for _ in range(SWEPT_EACH_TIME):
            if not self._fullest or self._surface() > now:
                return
            self._drop_fullest()

    def _surface(self) -> float:
        """Bring the fullest bucket to the top and tell when it will be full."""
        # A bucket sinks at most once per token taken from it, so this costs the logarithm per take.
        while (full_at := self._buckets[self._fullest[0][1]].full_at) > self._fullest[0][0]:
            heapq.heapreplace(self._fullest, (full_at, self._fullest[0][1]))
        return full_at

    def _drop_fullest(self) -> None:
        del self._buckets[heapq.heappop(self._fullest)[1]]
