"""Notes of several workers become intervals and a result; what is odd about them spoils nothing."""

from collections.abc import Hashable, Iterable
from typing import Any

import msgspec
import pytest

from loadtest.failures import SwarmError
from loadtest.histogram import values
from loadtest.merge import MOST_COUNTS, MOST_ERRORS, MOST_FACTS, MOST_MARKS, MOST_OPERATIONS, Merge
from loadtest.notes import Batch, Done, Sample, Told
from loadtest.plan import Plan
from loadtest.result import MAX_INTERVALS, Honesty, Interval, Mark, OwnUse, Result, ServerUse, Truth
from tests.support.fake_worker import encoded, sample
from tests.support.swarm_results import MACHINE, honesty

PLAN = Plan(ramp_s=2, warm_up_s=1, duration_s=3, server_key="hidden", agent_secret="hidden")


class Noted:
    """Instead of a count of honesty: which samples it was fed with."""

    def __init__(self) -> None:
        self.fed: list[tuple[Hashable, float, float]] = []
        self.short_of: list[tuple[float, str]] = []

    def add(self, worker: Hashable, sample: Sample, for_s: float) -> None:
        self.fed.append((worker, sample.at_s, round(for_s, 3)))

    def add_shortages(self, sample: Sample) -> None:
        self.short_of += [(sample.at_s, missing) for missing in sample.short_of]

    def result(self, _measured_s: float) -> Honesty:
        return honesty()


def worst(samples: Iterable[tuple[Sample, float]]) -> OwnUse:
    told = list(samples)
    return OwnUse(
        cpu=max(each.cpu_s / for_s if for_s else 0 for each, for_s in told),
        lag_ms=0,
        slip_ms=0,
        gc_ms=max(each.gc_max_ms for each, _ in told),
    )


def merge(workers: int = 1, plan: Plan = PLAN, honest: Noted | None = None) -> Merge:
    return Merge(plan, workers, honest or Noted(), worst)


def result(merged: Merge) -> Result:
    merged.finish()
    return merged.result(begun="2026-11-23T10:00:00Z", machine=MACHINE)


def done(merged: Merge, workers: int = 1, **more: Any) -> None:
    for worker in range(workers):
        merged.hear(
            worker, Done(**{"measured_from_s": 3.0, "measured_s": 3.0, "stopped_early": False, **more})
        )


def batch(*milliseconds: float, warm_up: bool = False) -> Batch:
    return Batch(
        response=encoded(*milliseconds),
        service=encoded(*(each / 2 for each in milliseconds)),
        warm_up=warm_up,
    )


def shape(intervals: Iterable[Interval]) -> list[tuple[float, float, int]]:
    """When, for how long, and how much was sent."""
    return [(each.at_s, round(each.for_s, 3), each.counts["sent"]) for each in intervals]


def test_a_second_of_all_workers_is_one_interval() -> None:
    merged = merge(2)
    merged.hear(0, sample(1.001, cpu_s=0.2, counts={"sent": 10, "arrived": 1}, errors={"late": 1}))
    merged.hear(1, sample(1.004, cpu_s=0.6, counts={"sent": 5}, errors={"late": 2, "gone": 1}))

    (interval,) = merged.settle(1.3)

    assert (interval.at_s, interval.for_s, interval.connected) == (0, 1, 10)
    assert interval.counts == {"sent": 15, "arrived": 1}
    assert interval.errors == {"late": 3, "gone": 1}
    assert interval.response["echo"].count == 4
    assert interval.own.cpu == pytest.approx(0.6, abs=0.01)
    assert merged.settle(1.3) == []


def test_an_interval_waits_for_the_slower_worker() -> None:
    merged = merge(2)
    merged.hear(0, sample(1))

    early = merged.settle(1.9)
    merged.hear(1, sample(1))

    assert early == []
    assert shape(merged.settle(1.9)) == [(0, 1, 20)]


def test_it_does_not_wait_for_ever_and_what_comes_late_is_not_lost() -> None:
    merged = merge(2)
    merged.hear(0, sample(1, connected=7))
    late = merged.settle(3)
    merged.hear(1, sample(1.1, connected=3))
    merged.hear(0, sample(2, connected=7))
    merged.hear(1, sample(2, connected=3))

    assert shape(late) == [(0, 1, 10)]
    (second,) = merged.settle(3)
    assert shape([second]) == [(1, 1, 30)]
    assert second.connected == 10


def test_who_came_and_went_between_two_samples_was_connected() -> None:
    merged = merge(2)
    merged.hear(0, sample(1, connected=0, most_connected=4))
    merged.hear(1, sample(1, connected=2, most_connected=3))
    merged.settle(2)
    merged.hear(0, sample(2, connected=0))
    merged.hear(1, sample(2, connected=0, most_connected=2))
    merged.settle(3)
    done(merged, 2)

    assert result(merged).connected == 7


def test_nobody_waits_for_a_worker_that_is_done() -> None:
    merged = merge(2)
    done(merged, 1)
    merged.hear(1, sample(1))

    assert shape(merged.settle(1)) == [(0, 1, 10)]


def test_seconds_of_which_nobody_told_belong_to_the_next_interval() -> None:
    merged = merge()
    for at_s in (1, 5.2, 6):
        merged.hear(0, sample(at_s))

    assert shape(merged.settle(9)) == [(0, 1, 10), (1, 4, 10), (5, 1, 10)]


def test_the_last_interval_is_as_long_as_it_was() -> None:
    merged = merge()
    merged.hear(0, sample(1))
    merged.hear(0, sample(1.6))
    done(merged)

    assert shape(merged.finish()) == [(0, 1, 10), (1, 0.6, 10)]


def test_a_moment_behind_the_last_second_does_not_look_like_a_peak() -> None:
    merged = merge()
    for at_s in (1, 2):
        merged.hear(0, sample(at_s))
    first = merged.settle(2.3)
    merged.hear(0, sample(2.02, counts={"sent": 1}))
    done(merged)

    assert len(first) == 2
    assert shape(result(merged).intervals) == [(0, 1, 10), (1, 1.02, 11)]


def test_warm_up_is_shown_and_not_told_in_the_whole() -> None:
    merged = merge()
    timings = {"echo": [batch(1, 2), batch(900, warm_up=True)], "join": [batch(5, warm_up=True)]}
    merged.hear(0, sample(1, timings=timings))

    told = result(merged)

    assert told.intervals[0].response["echo"].count == 3
    assert told.intervals[0].response["join"].count == 1
    assert values(told.timings["echo"].response.hdr) == [(1000, 1), (2000, 1)]
    assert values(told.timings["echo"].service.hdr) == [(500, 1), (1000, 1)]
    assert list(told.timings) == ["echo"]


def test_the_truth_is_the_last_word_of_each_worker() -> None:
    merged = merge(2)
    for worker in range(2):
        merged.hear(worker, sample(1, truth=Truth(sent=5, expected=5, lost=5)))
        merged.hear(
            worker, sample(2, truth=Truth(sent=9, expected=9, delivered=8, lost=1, two_sockets=worker))
        )

    truth = result(merged).truth

    assert truth == Truth(sent=18, expected=18, delivered=16, lost=2, two_sockets=1)


def test_the_whole_is_the_sum_of_all_workers() -> None:
    merged = merge(3)
    for worker in range(3):
        for at_s in (1, 2, 3):
            merged.hear(worker, sample(at_s, connected=at_s, errors={"gone": 1}))
    done(merged, 3)

    told = result(merged)

    assert (told.counts, told.errors, told.connected) == ({"sent": 90}, {"gone": 9}, 9)
    assert (told.measured_from_s, told.measured_s, told.stopped_early) == (3, 3, False)
    assert told.timings["echo"].response.count == 18
    assert (told.verdict, told.thresholds) == ("", [])


def test_one_worker_that_stopped_early_makes_the_run_so() -> None:
    merged = merge(2)
    done(merged)
    merged.hear(1, Done(3.0, 1.0, stopped_early=True))

    assert result(merged).stopped_early


def test_what_the_scenario_is_for_is_told() -> None:
    merged = merge(2)
    for worker in range(2):
        merged.hear(worker, Done(3.0, 1.0, stopped_early=False, measures="echo"))

    assert result(merged).measures == "echo"


def test_a_result_holds_no_secret() -> None:
    assert "hidden" not in repr(result(merge()))


def test_honesty_is_judged_over_the_measured_time_only() -> None:
    honest = Noted()
    merged = merge(honest=honest)
    for at_s in (1, 2.002, 3.003, 4.001, 5.9, 6.001, 6.4, 7):
        merged.hear(0, sample(at_s))

    assert honest.fed == [(0, 4.001, 0.998), (0, 5.9, 1.899), (0, 6.001, 0.101)]


def test_who_was_held_up_across_the_end_of_the_load_is_judged() -> None:
    honest = Noted()
    merged = merge(honest=honest)
    for at_s in (3, 4, 5, 5.3, 12, 13):
        merged.hear(0, sample(at_s))

    assert honest.fed == [(0, 4, 1), (0, 5, 1), (0, 5.3, 0.3), (0, 12, 6.7)]


def test_honesty_of_a_run_shorter_than_a_second_is_judged_too() -> None:
    honest = Noted()
    merged = merge(plan=Plan(ramp_s=0.1, warm_up_s=0, duration_s=0.3), honest=honest)
    merged.hear(0, sample(0.5))

    assert honest.fed == [(0, 0.5, 0.5)]


def use(cpu: float, rss: int = 100, **metrics: float) -> ServerUse:
    return ServerUse(cpu=cpu, rss_bytes=rss, metrics=metrics)


def test_the_server_stands_beside_the_second_in_which_it_was_read() -> None:
    merged = merge()
    merged.read(1.01, use(0.5))
    for at_s in (1, 2):
        merged.hear(0, sample(at_s))

    assert [each.server for each in merged.settle(2.3)] == [use(0.5), None]


def test_the_servers_processor_is_told_over_the_measured_time_and_its_memory_at_its_most() -> None:
    merged = merge()
    for second, cpu in enumerate((0.1, 0.1, 0.1, 0.6, 0.8, 1.0, 0.1), start=1):
        merged.read(second + 0.02, use(cpu, rss=1000 - second))
        merged.hear(0, sample(second))
    done(merged)

    told = result(merged)

    assert told.server_cpu == pytest.approx(0.8)
    assert told.server_rss_bytes == 999


def test_of_a_server_that_tells_nothing_nothing_is_told() -> None:
    merged = merge()
    merged.hear(0, sample(1))
    done(merged)

    told = result(merged)

    assert (told.server_cpu, told.server_rss_bytes) == (None, None)


def test_a_mark_that_several_workers_tell_is_one() -> None:
    merged = merge(2)

    new = merged.hear(0, Told(2.0, "the ramp is over"))
    again = merged.hear(1, Told(2.1, "the ramp is over"))
    later = merged.hear(1, Told(9.0, "the ramp is over"))

    assert (new, again) == (Mark(at_s=2, text="the ramp is over"), None)
    assert result(merged).marks == [new, later]


def test_facts_are_told_by_name_and_what_each_worker_found_is_kept() -> None:
    merged = merge(2)
    for worker, text in ((0, "1.2 s"), (1, "1.3 s"), (1, "1.2 s")):
        merged.hear(worker, Told(5, text, "recovered"))

    told = result(merged)

    assert (told.facts, told.marks) == ({"recovered": "1.2 s; 1.3 s"}, [])


def test_nothing_told_grows_without_end() -> None:
    merged = merge()
    one = batch(1)
    for number in range(2 * MOST_MARKS):
        name = f"{number:03}-" * 100
        merged.hear(
            0,
            sample(
                number / 1000,
                counts={name: 1},
                errors={name: 1},
                timings={name: [one]},
            ),
        )
        merged.hear(0, Told(number * 10, name))
        merged.hear(0, Told(number, name, name))

    told = result(merged)

    assert (len(told.counts), len(told.errors)) == (MOST_COUNTS + 1, MOST_ERRORS + 1)
    assert told.errors["other"] == 2 * MOST_MARKS - MOST_ERRORS
    assert sum(told.counts.values()) == 2 * MOST_MARKS
    assert len(told.timings) == MOST_OPERATIONS + 1
    assert (len(told.marks), len(told.facts)) == (MOST_MARKS, MOST_FACTS)
    assert max(map(len, told.errors)) <= 200


def test_a_worker_whose_clock_is_mad_opens_no_endless_intervals() -> None:
    merged = merge()
    for number in range(100):
        merged.hear(0, sample(10.0 ** (number % 30) * 1000 - number))

    assert len(merged.finish()) <= 8
    assert result(merged).counts == {"sent": 1000}


def test_a_day_is_told_in_few_intervals_and_none_of_it_is_missing() -> None:
    merged = merge()
    seconds = 4 * MAX_INTERVALS + 3
    shown = 0
    quiet, busy = sample(1, timings={}), sample(1)
    for second in range(1, seconds + 1):
        each = busy if second % 50 == 0 else quiet
        merged.hear(0, msgspec.structs.replace(each, at_s=second))
        merged.read(second, use(second / seconds))
        shown += len(merged.settle(second))

    told = result(merged)

    assert shown == seconds
    assert MAX_INTERVALS / 2 <= len(told.intervals) <= MAX_INTERVALS
    assert sum(one.counts["sent"] for one in told.intervals) == 10 * seconds
    assert sum(one.for_s for one in told.intervals) == pytest.approx(seconds)
    assert sum(one.response["echo"].count for one in told.intervals if one.response) == seconds // 50 * 2


def test_what_a_machine_ran_out_of_counts_at_any_time() -> None:
    noted = Noted()
    merged = merge(honest=noted)
    for second in range(1, 8):
        merged.hear(0, sample(second, short_of={"files": 1}))

    assert noted.short_of == [(second, "files") for second in range(1, 8)]
    assert len(noted.fed) == 3


@pytest.mark.parametrize("text", ["x", "HISTFAAA"])
def test_what_is_no_histogram_is_told_with_its_worker(text: str) -> None:
    with pytest.raises(SwarmError, match="worker 2 told no histogram"):
        merge(2).hear(1, sample(1, timings={"echo": [Batch(response=text, service="")]}))
