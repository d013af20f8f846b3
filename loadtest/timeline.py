"""The intervals of a run, however long it is: at most `MAX_INTERVALS`, each as fine as that allows.

When there are too many, neighbours become one, and from then on each holds twice as much. A reader of the
result sees in `for_s` how long each is.
"""

from collections.abc import Iterable
from typing import Final

from loadtest.held_notes import added
from loadtest.histogram import Histogram
from loadtest.result import MAX_INTERVALS, Interval, OwnUse, ServerUse, Spread

ALMOST: Final = 0.999
"""Of its width: sums of fractions are not exact."""


class Timeline:
    """Append intervals as they close; `intervals` are those to be told."""

    def __init__(self, most: int = MAX_INTERVALS) -> None:
        self._most = most
        self._kept: list[Interval] = []
        self._open: Interval | None = None
        self._width_s = 1.0

    def append(self, interval: Interval) -> None:
        self._open = interval if self._open is None else joined(self._open, interval)
        if self._open.for_s < self._width_s * ALMOST:
            return
        self._kept.append(self._open)
        self._open = None
        if len(self._kept) >= self._most:
            self._width_s *= 2
            pairs = zip(self._kept[::2], self._kept[1::2], strict=False)
            odd = self._kept[-1:] if len(self._kept) % 2 else []
            self._kept = [joined(first, second) for first, second in pairs]
            self._open = odd[0] if odd else None

    def intervals(self) -> list[Interval]:
        """The last of them may be shorter or longer than the others, by half."""
        if self._open is None:
            return self._kept
        if self._kept and self._open.for_s < self._width_s / 2:
            # A rate over a moment would stand out as a peak that nobody saw.
            return [*self._kept[:-1], joined(self._kept[-1], self._open)]
        return [*self._kept, self._open]


def joined(first: Interval, second: Interval) -> Interval:
    """Two neighbours as one. A gap between them, in which nobody told anything, belongs to it."""
    for_s = second.at_s + second.for_s - first.at_s
    return Interval(
        at_s=first.at_s,
        for_s=for_s,
        connected=second.connected,
        counts=sums((first.counts, second.counts)),
        errors=sums((first.errors, second.errors)),
        response={
            name: _both(first.response.get(name), second.response.get(name))
            for name in first.response | second.response
        },
        own=OwnUse(
            cpu=max(first.own.cpu, second.own.cpu),
            lag_ms=max(first.own.lag_ms, second.own.lag_ms),
            slip_ms=max(first.own.slip_ms, second.own.slip_ms),
            gc_ms=max(first.own.gc_ms, second.own.gc_ms),
        ),
        server=server_joined([(first.server, first.for_s), (second.server, second.for_s)]),
    )


def server_joined(uses: Iterable[tuple[ServerUse | None, float]]) -> ServerUse | None:
    """The use over several stretches, each with its seconds; what is not known is left out."""
    known = [(use, for_s) for use, for_s in uses if use is not None and for_s > 0]
    if not known:
        return None
    return ServerUse(
        cpu=_mean((use.cpu, for_s) for use, for_s in known),
        rss_bytes=max(use.rss_bytes for use, _ in known),
        metrics={
            name: _mean((use.metrics[name], for_s) for use, for_s in known if name in use.metrics)
            for name in dict.fromkeys(name for use, _ in known for name in use.metrics)
        },
    )


def sums(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """By name."""
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total


def _mean(weighted: Iterable[tuple[float, float]]) -> float:
    pairs = list(weighted)
    return sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)


def _both(first: Spread | None, second: Spread | None) -> Spread:
    histogram = Histogram()
    histogram.add(added(*(each.hdr for each in (first, second) if each is not None)))
    return histogram.spread()
