"""Latencies in microseconds, recorded cheaply and kept in an HDR histogram of three significant digits."""

from collections import Counter
from typing import Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it ships no types

HIGHEST_US: Final = 3_600_000_000
"""An hour; anything longer counts as this."""
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)

_BATCH: Final = 4096


class Histogram:
    """Recording is an append; every few thousand values are counted, and the counts are entered when read.

    Entering each value as it comes would keep the swarm busy with itself.
    """

    def __init__(self) -> None:
        self._hdr = HdrHistogram(1, HIGHEST_US, 3)
        self._counts: Counter[int] = Counter()
        self._batch: list[int] = []

    def record(self, microseconds: int) -> None:
        """Count one latency; a negative one counts as zero."""
        self._batch.append(microseconds)
        if len(self._batch) >= _BATCH:
            self._count()

    def __len__(self) -> int:
        """How many were recorded."""
        return int(self._hdr.total_count) + self._counts.total() + len(self._batch)

    def percentiles(self) -> tuple[float, ...]:
        """Milliseconds at each of `PERCENTILES`, of which the last is the maximum; empty without records."""
        self._count()
        for value, count in self._counts.items():
            self._hdr.record_value(value, count)
        self._counts.clear()
        if not self._hdr.total_count:
            return ()
        values = self._hdr.get_percentile_to_value_dict(list(PERCENTILES))
        return tuple(values[percent] / 1000 for percent in PERCENTILES)

    def _count(self) -> None:
        self._counts.update(map(_three_digits, self._batch))
        self._batch.clear()


def _three_digits(value: int) -> int:
    """What the histogram would keep of a value anyhow, so that the counts stay few."""
    if value < 1000:
        return max(value, 0)
    if value < 10_000:
        return value - value % 10
    if value < 100_000:
        return value - value % 100
    if value < 1_000_000:
        return value - value % 1000
    return min(value - value % 10_000, HIGHEST_US)
