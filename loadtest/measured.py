"""Which intervals of a run count: those behind ramp and warm-up, up to the end of the load.

Intervals are told whole, so that the edges of the time that was measured are good to half an interval.
"""

from loadtest.result import Interval, Result


def measured(result: Result) -> list[Interval]:
    """The intervals whose middle lies in the time that was measured, in order."""
    begin, end = result.measured_from_s, result.measured_from_s + result.measured_s
    return [
        each for each in result.intervals if each.for_s > 0 and begin <= each.at_s + each.for_s / 2 <= end
    ]


def rate(intervals: list[Interval], count: str) -> float | None:
    """How often a second something was counted; None when there is nothing to look at."""
    seconds = sum(each.for_s for each in intervals)
    if not seconds or all(count not in each.counts for each in intervals):
        return None
    return sum(each.counts.get(count, 0) for each in intervals) / seconds
