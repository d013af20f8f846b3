"""Whole processes that stand still at known times, and what a load tester has to find when they do.

The answers are arithmetic: a message that arrives within a freeze is answered when it ends, any other at once
(a service time of about zero). Times are seconds of one clock, latencies seconds, percentiles 0 to 100.
"""

import asyncio
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

Freeze = tuple[float, float]
"""When it began and when it ended, by the monotonic clock, which all processes of a machine share."""


class Freezer:
    """Blocks the running loop for `for_s` seconds every `period_s`; `told` of each freeze when it is over."""

    def __init__(self, period_s: float, for_s: float, told: Callable[[Freeze], None]) -> None:
        """Raises ValueError for freezes that leave no time in between."""
        if not 0 < for_s < period_s:
            raise ValueError("a freeze must be shorter than its period")
        self.period_s = period_s
        self.for_s = for_s
        self._told = told
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The first freeze comes after one period; all are counted from now, so that none drifts."""
        self._wait_until(asyncio.get_running_loop().time() + self.period_s)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()

    def _wait_until(self, due_s: float) -> None:
        self._next = asyncio.get_running_loop().call_at(due_s, self._freeze, due_s)

    def _freeze(self, due_s: float) -> None:
        begun_s = time.monotonic()
        time.sleep(self.for_s)
        self._told((begun_s, time.monotonic()))
        self._wait_until(due_s + self.period_s)


def freezes_of(events: Iterable[Mapping[str, Any]]) -> list[Freeze]:
    """The freezes that are told in a log, as `froze` with `begun_s` and `ended_s`."""
    return [(each["begun_s"], each["ended_s"]) for each in events if each["event"] == "froze"]


def share_above(latency_s: float, period_s: float, for_s: float) -> float:
    """The share of messages that wait longer than this, if they arrive evenly over whole periods.

    One that comes `u` into the freeze waits `for_s - u`. It waits longer than x if `u < for_s - x`, and of a
    period's arrivals `(for_s - x) / period_s` are so early.
    """
    if latency_s < 0:
        return 1.0
    return max(for_s - latency_s, 0.0) / period_s


def percentile(q: float, period_s: float, for_s: float) -> float:
    """The latency that `q` % of the messages do not exceed: `share_above` solved for the latency."""
    return max(for_s - period_s * (1 - q / 100), 0.0)


def mean(period_s: float, for_s: float) -> float:
    """Of all messages: `for_s / period_s` of them wait, `for_s / 2` on average."""
    return for_s * for_s / (2 * period_s)


def closed_loop_latencies(
    begin_s: float, end_s: float, every_s: float, freezes: Sequence[Freeze]
) -> list[float]:
    """What a tester records that waits for each answer before it sends again: coordinated omission.

    It means to send every `every_s`, and sends late whenever the answer is: s' = max(s + every_s, answer). A
    freeze meets one of its messages instead of all those that were due, and it counts from when it sent.
    """
    found: list[float] = []
    at_s = begin_s
    while at_s < end_s:
        (waited_s,) = expected_latencies((at_s,), freezes)
        found.append(waited_s)
        at_s = max(at_s + every_s, at_s + waited_s)
    return found


def closed_loop_percentile(q: float, period_s: float, for_s: float, every_s: float) -> float:
    """The same for freezes that go on for ever, wrong as it is. Raises ValueError beyond its derivation.

    With `every_s <= for_s / 2` whoever was met by a freeze sends again as it ends. So each period begins
    anew: sends at 0, `every_s`, ... behind the thaw, up to the first that falls into the next freeze, which
    is number k = ceil((period_s - for_s) / every_s). Of k + 1 messages one waits, for the rest of that
    freeze: `period_s - k * every_s`. All others wait for nothing, and so does any percentile up to their
    share.
    """
    if not 0 < 2 * every_s <= for_s < period_s:
        raise ValueError("known only for two messages or more in the time of a freeze")
    met = math.ceil((period_s - for_s) / every_s - 1e-9)  # what is due as a freeze begins is in it
    return period_s - met * every_s if q / 100 > met / (met + 1) else 0.0


def expected_latencies(intended: Sequence[float], freezes: Sequence[Freeze]) -> list[float]:
    """How long each message should have waited, by when it was due and by the freezes there really were.

    Exact for any run, also one that is no whole number of periods. Raises ValueError for freezes that
    overlap, which one process cannot have.
    """
    ordered = sorted(freezes)
    if any(later[0] < earlier[1] for earlier, later in pairwise(ordered)):
        raise ValueError("freezes overlap")
    begins = [begun_s for begun_s, _ in ordered]
    ends = [ended_s for _, ended_s in ordered]
    latencies = []
    for at_s in intended:
        last = bisect_right(begins, at_s) - 1
        latencies.append(max(ends[last] - at_s, 0.0) if last >= 0 else 0.0)
    return latencies


def percentile_of(latencies: Sequence[float], q: float) -> float:
    """The least of them that `q` % do not exceed, as histograms count. Raises ValueError for none."""
    if not latencies:
        raise ValueError("no latencies")
    rank = math.ceil(len(latencies) * q / 100 - 1e-9)
    return sorted(latencies)[max(rank, 1) - 1]
