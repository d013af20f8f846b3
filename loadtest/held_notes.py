"""What a worker has told while the coordinator did not listen: bounded, and nothing that counts is lost.

Samples that wait are added up into one, since sums and histograms can be: the totals of the run stay exact,
and only its picture over time gets coarser. Marks beyond the bound are dropped, the newest first: they are
for the eye.
"""

from collections import deque
from typing import Final

from loadtest.histogram import Histogram
from loadtest.notes import Batch, Note, Sample, Told

MOST_SAMPLES: Final = 30
MOST_TOLD: Final = 200


class HeldNotes:
    """Put notes in, take them out in order."""

    def __init__(self) -> None:
        self._notes: deque[Note] = deque()
        self._samples = 0
        self._told = 0

    def __len__(self) -> int:
        return len(self._notes)

    def put(self, note: Note) -> None:
        if isinstance(note, Sample):
            if self._samples >= MOST_SAMPLES:
                note = together(self._take_last_sample(), note)
            self._samples += 1
        elif isinstance(note, Told):
            if self._told >= MOST_TOLD:
                return
            self._told += 1
        # Of the others a worker has one each: they need no bound.
        self._notes.append(note)

    def take(self) -> Note:
        """The oldest. Raises IndexError when there is none."""
        note = self._notes.popleft()
        self._samples -= isinstance(note, Sample)
        self._told -= isinstance(note, Told)
        return note

    def _take_last_sample(self) -> Sample:
        for at in range(len(self._notes) - 1, -1, -1):
            note = self._notes[at]
            if isinstance(note, Sample):
                del self._notes[at]
                self._samples -= 1
                return note
        raise AssertionError("only asked for while samples are held")


def together(earlier: Sample, later: Sample) -> Sample:
    """Two samples of one worker, following each other, as the one it would have told instead of them."""
    return Sample(
        at_s=later.at_s,
        connected=later.connected,
        most_connected=max(earlier.most_connected, later.most_connected),
        counts=_sum(earlier.counts, later.counts),
        errors=_sum(earlier.errors, later.errors),
        timings={
            name: _batches([*earlier.timings.get(name, ()), *later.timings.get(name, ())])
            for name in earlier.timings | later.timings
        },
        truth=later.truth,
        cpu_s=earlier.cpu_s + later.cpu_s,
        lag=added(earlier.lag, later.lag),
        slip=added(earlier.slip, later.slip),
        gc_max_ms=max(earlier.gc_max_ms, later.gc_max_ms),
    )


def added(*encoded: str) -> str:
    """Encoded histograms as one. Raises ValueError for what is none."""
    total = Histogram()
    for each in encoded:
        total.add(each)
    return total.take()


def _sum(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in a | b}


def _batches(batches: list[Batch]) -> list[Batch]:
    """One of the measured time and one of the warm-up, as far as there are any."""
    return [
        Batch(
            response=added(*(each.response for each in alike)),
            service=added(*(each.service for each in alike)),
            warm_up=warm_up,
        )
        for warm_up in (False, True)
        if (alike := [each for each in batches if each.warm_up is warm_up])
    ]
