"""What all workers tell, as one run: seconds added up to intervals, and the whole to a result.

Pure: it is told the time, and keeps a bounded amount of a run of any length. It judges nothing: whether the
swarm was the bottleneck, and whether the server did well, others say.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Final, Protocol

import msgspec

from loadtest.bounded import Names
from loadtest.failures import SwarmError
from loadtest.histogram import Histogram
from loadtest.notes import Batch, Done, Note, Sample, Told
from loadtest.plan import Plan
from loadtest.profile import course
from loadtest.result import (
    Honesty,
    Interval,
    Machine,
    Mark,
    OwnUse,
    Result,
    ServerUse,
    Spread,
    Timing,
    Truth,
)
from loadtest.timeline import Timeline, server_joined, sums

SAMPLE_S: Final = 1.0
"""What a sample covers, unless its worker is held up."""
LATE_S: Final = 2.0
"""An interval waits so long for a worker that is late; what comes later counts to the next one."""
MOST_OPEN: Final = 8
MOST_ERRORS: Final = 50
MOST_COUNTS: Final = 100
MOST_OPERATIONS: Final = 50
MOST_MARKS: Final = 200
MOST_FACTS: Final = 100
MOST_OF_A_FACT: Final = 4
SAME_MARK_S: Final = 2.0
"""Workers tell of the same moment each by its own clock."""

Own = Callable[[Iterable[tuple[Sample, float]]], OwnUse]


class Honest(Protocol):
    """Counts how the workers fared in the time that was measured; see `honesty.py`."""

    def add(self, worker: Hashable, sample: Sample, for_s: float) -> None: ...
    def add_shortages(self, sample: Sample) -> None: ...
    def result(self, measured_s: float) -> Honesty: ...


class Merge:
    """Feed it with notes and the server's use; take intervals as they close, and the result in the end."""

    def __init__(self, plan: Plan, workers: int, honest: Honest, own: Own) -> None:
        self._plan = plan
        self._course = course(plan)
        self._honest = honest
        self._own = own
        self._going = set(range(workers))
        self._told_to: dict[int, float] = dict.fromkeys(range(workers), 0.0)
        """Up to when each worker has told, in seconds since the begin."""
        self._connected: dict[int, int] = {}
        self._truths: dict[int, Truth] = {}
        self._done: list[Done] = []
        self._open: dict[int, list[tuple[int, Sample, float]]] = {}
        """By the second that it ends with: workers, samples, and the seconds that each covers."""
        self._uses: dict[int, ServerUse] = {}
        self._closed_to = 0
        self._timeline = Timeline()
        self._total = _Total()
        self._most_connected = 0
        self._most_rss: int | None = None
        self.marks: list[Mark] = []
        self.facts: dict[str, str] = {}

    def hear(self, worker: int, note: Note) -> Mark | None:
        """The mark, if it told a new one. Raises SwarmError when what it tells makes no sense."""
        if isinstance(note, Sample):
            try:
                self._take(worker, note)
            except ValueError as error:
                raise SwarmError(f"worker {worker + 1} told {error}") from None
        elif isinstance(note, Done):
            self._done.append(note)
            self._going.discard(worker)
        elif isinstance(note, Told):
            return self._note(note)
        return None

    def read(self, at_s: float, use: ServerUse) -> None:
        """What the server used in the second that ends at `at_s`."""
        second = max(round(at_s), self._closed_to + 1)
        use = server_joined([(self._uses.get(second), 1.0), (use, 1.0)]) or use
        self._uses[second] = use
        self._most_rss = max(self._most_rss or 0, use.rss_bytes)
        if len(self._uses) > MOST_OPEN:
            del self._uses[min(self._uses)]

    def settle(self, now_s: float) -> list[Interval]:
        """The intervals that are closed by now, in order, each told once."""
        closed = []
        while self._open and (second := min(self._open)) <= now_s:
            if not self._is_complete(second) and second > now_s - LATE_S:
                break
            closed.append(self._close(second))
        return closed

    def finish(self) -> list[Interval]:
        """When nothing more will come: the intervals that are left."""
        return [self._close(second) for second in sorted(self._open)]

    def result(self, *, begun: str, machine: Machine) -> Result:
        """Without verdict. Behind `finish`."""
        intervals = self._timeline.intervals()
        from_s = min((done.measured_from_s for done in self._done), default=0.0)
        to_s = max((done.measured_from_s + done.measured_s for done in self._done), default=0.0)
        cpu = _server_cpu(intervals, from_s, to_s)
        return Result(
            begun=begun,
            plan=self._plan.tell(),
            machine=machine,
            measured_from_s=from_s,
            measured_s=to_s - from_s,
            stopped_early=any(done.stopped_early for done in self._done),
            connected=self._most_connected,
            measures=next((done.measures for done in self._done), ""),
            timings=self._total.timings(),
            intervals=intervals,
            marks=sorted(self.marks, key=lambda mark: mark.at_s),
            truth=_truth(self._truths.values()),
            counts=self._total.counts,
            errors=self._total.errors,
            facts=self.facts,
            honesty=self._honest.result(to_s - from_s),
            server_cpu=cpu,
            server_rss_bytes=self._most_rss,
        )

    def _take(self, worker: int, sample: Sample) -> None:
        sample = self._total.add(sample)
        before = self._told_to.get(worker, 0.0)
        for_s = max(sample.at_s - before, 0.0)
        self._told_to[worker] = max(sample.at_s, before)
        self._truths[worker] = sample.truth
        self._honest.add_shortages(sample)
        if self._is_measured(before, sample.at_s):
            self._honest.add(worker, sample, for_s)
        second = max(round(sample.at_s), self._closed_to + 1)
        if second not in self._open and len(self._open) >= MOST_OPEN:
            second = min((at for at in self._open if at > second), default=max(self._open))
        self._open.setdefault(second, []).append((worker, sample, for_s))

    def _is_measured(self, from_s: float, to_s: float) -> bool:
        """Whether most of this stretch lies in the time that is measured, or half a usual one does.

        A worker that was held up across the end of the load made what was due before it late.
        """
        begin, end = self._course.measured_from_s, self._course.until_s
        within = min(to_s, end) - max(from_s, begin)
        return within > 0 and within >= min(to_s - from_s, end - begin, SAMPLE_S) / 2

    def _is_complete(self, second: int) -> bool:
        return all(round(self._told_to[worker]) >= second for worker in self._going)

    def _close(self, second: int) -> Interval:
        told = self._open.pop(second)
        most = dict(self._connected)
        for worker, sample, _ in told:
            self._connected[worker] = sample.connected
            most[worker] = max(most.get(worker, 0), sample.connected, sample.most_connected)
        self._most_connected = max(self._most_connected, sum(most.values()))
        end_s = max(sample.at_s for _, sample, _ in told) if self._is_last(second) else float(second)
        interval = Interval(
            at_s=float(self._closed_to),
            for_s=max(end_s - self._closed_to, 0.001),
            connected=sum(self._connected.values()),
            counts=sums(sample.counts for _, sample, _ in told),
            errors=sums(sample.errors for _, sample, _ in told),
            response=_spreads(sample for _, sample, _ in told),
            own=self._own(_by_worker(told)),
            server=server_joined((self._uses.pop(at), 1.0) for at in sorted(self._uses) if at <= second),
        )
        self._closed_to = second
        self._timeline.append(interval)
        return interval

    def _is_last(self, second: int) -> bool:
        return not self._going and not any(other > second for other in self._open)

    def _note(self, told: Told) -> Mark | None:
        text = told.text[:500]
        if told.name:
            self._add_fact(told.name[:100], text)
            return None
        known = any(mark.text == text and abs(mark.at_s - told.at_s) < SAME_MARK_S for mark in self.marks)
        if known or len(self.marks) >= MOST_MARKS:
            return None
        self.marks.append(Mark(at_s=told.at_s, text=text))
        return self.marks[-1]

    def _add_fact(self, name: str, text: str) -> None:
        """Workers may each have found their own."""
        if name not in self.facts:
            if len(self.facts) < MOST_FACTS:
                self.facts[name] = text
            return
        found = self.facts[name].split("; ")
        if text not in found and len(found) < MOST_OF_A_FACT:
            self.facts[name] = "; ".join([*found, text])


class _Total:
    """All of the run but what changes over time."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self._count_names, self._error_names = Names(MOST_COUNTS), Names(MOST_ERRORS)
        self._operations = Names(MOST_OPERATIONS)
        self._timings: dict[str, tuple[Histogram, Histogram]] = {}

    def add(self, sample: Sample) -> Sample:
        """The sample under those names that are told. Raises ValueError for what is no histogram."""
        counts = self._count_names.renamed(sample.counts)
        errors = self._error_names.renamed(sample.errors)
        timings: dict[str, list[Batch]] = {}
        for name, batches in sample.timings.items():
            operation = self._operations.of(name)
            timings.setdefault(operation, []).extend(batches)
            for batch in batches:
                if not batch.warm_up:
                    response, service = self._timings.setdefault(operation, (Histogram(), Histogram()))
                    response.add(batch.response)
                    service.add(batch.service)
        self.counts = sums((self.counts, counts))
        self.errors = sums((self.errors, errors))
        return msgspec.structs.replace(sample, counts=counts, errors=errors, timings=timings)

    def timings(self) -> dict[str, Timing]:
        return {
            name: Timing(response=response.spread(), service=service.spread())
            for name, (response, service) in self._timings.items()
        }


def _by_worker(told: Iterable[tuple[int, Sample, float]]) -> list[tuple[Sample, float]]:
    """With all processor time of a worker in its first sample, over all that it tells of.

    Its last one may cover a moment only, which tells no share.
    """
    samples: dict[int, list[tuple[Sample, float]]] = {}
    for worker, sample, for_s in told:
        samples.setdefault(worker, []).append((sample, for_s))
    shared = []
    for own in samples.values():
        (first, _), *others = own
        cpu_s, whole_s = sum(each.cpu_s for each, _ in own), sum(for_s for _, for_s in own)
        shared.append((msgspec.structs.replace(first, cpu_s=cpu_s), whole_s))
        shared += [(msgspec.structs.replace(each, cpu_s=0.0), for_s) for each, for_s in others]
    return shared


def _spreads(samples: Iterable[Sample]) -> dict[str, Spread]:
    histograms: dict[str, Histogram] = {}
    for sample in samples:
        for name, batches in sample.timings.items():
            histogram = histograms.setdefault(name, Histogram())
            for batch in batches:
                histogram.add(batch.response)
    return {name: histogram.spread() for name, histogram in histograms.items() if len(histogram)}


def _truth(truths: Iterable[Truth]) -> Truth:
    parts = list(truths)
    return Truth(**{name: sum(getattr(part, name) for part in parts) for name in Truth.__struct_fields__})


def _server_cpu(intervals: Iterable[Interval], from_s: float, to_s: float) -> float | None:
    """Over the measured time, as far as it is known."""
    total_s = cpu_s = 0.0
    for interval in intervals:
        within = min(interval.at_s + interval.for_s, to_s) - max(interval.at_s, from_s)
        if interval.server is not None and within > 0:
            total_s += within
            cpu_s += within * interval.server.cpu
    return cpu_s / total_s if total_s else None
