"""Latencies in microseconds: recorded as cheaply as an append, kept as HdrHistograms, added up in the end."""

from collections import Counter
from functools import lru_cache
from typing import Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it ships no types

from loadtest.result import Spread

HIGHEST_US: Final = 3_600_000_000
"""An hour; anything longer counts as this."""
DIGITS: Final = 3
_BITS: Final = 11
_EXACT: Final = 1 << _BITS
"""Values below are kept as they are, of larger ones so many bits: `DIGITS` digits at least."""
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)

_EMPTY: Final = HdrHistogram(1, HIGHEST_US, DIGITS)
"""All of ours are of its shape."""


class Histogram:
    """Recording is an append; values are counted and entered when somebody looks.

    Entering each value as it comes would keep the swarm busy with itself, and all of a second's at once would
    hold it up.
    """

    __slots__ = ("_batch", "_counts", "_hdr", "record")

    def __init__(self) -> None:
        self._hdr = HdrHistogram(1, HIGHEST_US, DIGITS)
        self._counts: Counter[int] = Counter()
        self._batch: list[int] = []
        self.record = self._batch.append
        """Count one latency in microseconds; a negative one counts as zero."""

    def __len__(self) -> int:
        """How many were recorded."""
        return int(self._hdr.total_count) + self._counts.total() + len(self._batch)

    def gather(self) -> None:
        """Put together what is the same.

        To be called some times a second: until then each value is kept. Ten thousand take a millisecond.
        """
        self._counts.update(self._batch)
        self._batch.clear()

    def settle(self, most: int | None = None) -> bool:
        """Enter what was recorded, of `most` different values at most. True when nothing is left.

        A thousand take half a millisecond.
        """
        self.gather()
        counts = self._counts
        parts = [counts.popitem() for _ in range(len(counts) if most is None else min(most, len(counts)))]
        if not parts:
            return True
        # Value by value the library takes five times as long; what it makes of them is the same.
        hdr, cells = self._hdr, self._hdr.counts
        for value, count in parts:
            cells[_place(value)] += count
        hdr.total_count += sum(count for _, count in parts)
        hdr.min_value = min(hdr.min_value, max(min(parts)[0], 0))
        hdr.max_value = max(hdr.max_value, min(max(parts)[0], HIGHEST_US))
        return not counts

    def take(self) -> str:
        """All that was recorded as an encoded histogram, empty if nothing was; begins anew."""
        self.settle()
        if not self._hdr.total_count:
            return ""
        encoded: bytes = self._hdr.encode()
        # A new one is made in a tenth of the time in which the library empties an old one.
        self._hdr = HdrHistogram(1, HIGHEST_US, DIGITS)
        return encoded.decode()

    def add(self, encoded: str) -> None:
        """Add what another one has taken or told. Raises ValueError for what is no histogram."""
        if encoded:
            try:
                self._hdr.decode_and_add(encoded.encode())
            except Exception as error:  # the library raises its own, zlib's, base64's and struct's
                raise ValueError(f"no histogram: {type(error).__name__}") from None

    def percentile_ms(self, percent: float) -> float:
        """Milliseconds at this percentile, 0 without records."""
        self.settle()
        return float(self._hdr.get_value_at_percentile(percent)) / 1000

    def percentiles(self) -> tuple[float, ...]:
        """Milliseconds at each of `PERCENTILES`, of which the last is the maximum; empty without records."""
        self.settle()
        if not self._hdr.total_count:
            return ()
        found = self._hdr.get_percentile_to_value_dict(PERCENTILES)
        return tuple(found[percent] / 1000 for percent in PERCENTILES)

    def spread(self) -> Spread:
        """The figures, with all values encoded."""
        self.settle()
        hdr = self._hdr
        if not hdr.total_count:
            return Spread(count=0, mean=0, p50=0, p90=0, p99=0, p999=0, max=0)
        found = hdr.get_percentile_to_value_dict(PERCENTILES[:-1])
        p50, p90, p99, p999 = (found[percent] / 1000 for percent in PERCENTILES[:-1])
        return Spread(
            count=hdr.total_count,
            mean=sum((low + high) / 2 * count for low, high, count in _entries(hdr)) / hdr.total_count / 1000,
            p50=p50,
            p90=p90,
            p99=p99,
            p999=p999,
            max=hdr.get_max_value() / 1000,
            hdr=hdr.encode().decode(),
        )


def values(encoded: str) -> list[tuple[int, int]]:
    """The pairs (microseconds, how many) of an encoded histogram, ascending. Raises ValueError."""
    if not encoded:
        return []
    try:
        hdr = HdrHistogram.decode(encoded.encode())
    except Exception as error:  # the library raises its own, zlib's, base64's and struct's
        raise ValueError(f"no histogram: {type(error).__name__}") from None
    if (hdr.sub_bucket_count, hdr.unit_magnitude) != (_EMPTY.sub_bucket_count, _EMPTY.unit_magnitude):
        raise ValueError("no histogram of ours: it has another precision")
    return [(high, count) for _, high, count in _entries(hdr)]


def _entries(hdr: HdrHistogram) -> list[tuple[int, int, int]]:
    """What was counted: (lowest, highest value that counts as the same, how many), ascending.

    Not by the library's iterator, which takes as long for ten values as for ten thousand.
    """
    counts = hdr.counts[: _place(hdr.max_value) + 1]
    return [(*_alike(index), int(count)) for index, count in enumerate(counts) if count]


def _place(value: int) -> int:
    """Where a value is counted: small ones each by itself, larger ones by their first `_BITS` bits."""
    if value < _EXACT:
        return max(value, 0)
    value = min(value, HIGHEST_US)
    shift = value.bit_length() - _BITS
    return (shift << _BITS - 1) + (value >> shift)


@lru_cache(maxsize=2**15)  # room for all that there are
def _alike(index: int) -> tuple[int, int]:
    """The lowest and the highest value that are counted in this place."""
    low = int(_EMPTY.get_value_from_index(index))
    return low, int(_EMPTY.get_highest_equivalent_value(low))
