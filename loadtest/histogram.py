"""Latencies in microseconds, recorded cheaply and kept in an HDR histogram of three significant digits."""

from collections import Counter
from typing import Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]  # it ships no types

HIGHEST_US: Final = 3_600_000_000
"""An hour; anything longer counts as this."""
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)

_BATCH: Final = 4096
"""A flush of so many takes a few milliseconds at most, during which the swarm does nothing else."""


class Histogram:
    """Recording is an append; values go into the histogram in batches, when enough are there or when read."""

    def __init__(self) -> None:
        self._hdr = HdrHistogram(1, HIGHEST_US, 3)
        self._batch: list[int] = []

    def record(self, microseconds: int) -> None:
        """Count one latency; a negative one counts as zero."""
        self._batch.append(microseconds)
        if len(self._batch) >= _BATCH:
            self._flush()

    def __len__(self) -> int:
        """How many were recorded."""
        return int(self._hdr.total_count) + len(self._batch)

    def percentiles(self) -> tuple[float, ...]:
        """Milliseconds at each of `PERCENTILES`, of which the last is the maximum; empty without records."""
        self._flush()
        if not self._hdr.total_count:
            return ()
        return tuple(self._hdr.get_value_at_percentile(percent) / 1000 for percent in PERCENTILES)

    def _flush(self) -> None:
        for value, count in Counter(self._batch).items():
            self._hdr.record_value(min(max(value, 0), HIGHEST_US), count)
        self._batch.clear()
