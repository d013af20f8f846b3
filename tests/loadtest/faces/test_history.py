"""What a run has shown so far, from intervals that the test makes."""

import msgspec
import pytest

from loadtest.faces.history import COURSE, MAX_ERRORS, MAX_OPERATIONS, OTHERS, History
from loadtest.plan import Limits, Plan, Profile
from loadtest.result import Interval, OwnUse, Spread
from tests.support.swarm_results import interval, spread

PLAN = Plan(ramp_s=2, warm_up_s=1, duration_s=30, limits=Limits())


def own(cpu: float = 0.3, lag_ms: float = 1.0, slip_ms: float = 1.0, gc_ms: float = 1.0) -> OwnUse:
    return OwnUse(cpu=cpu, lag_ms=lag_ms, slip_ms=slip_ms, gc_ms=gc_ms)


def history(*intervals: Interval) -> History:
    made = History(PLAN)
    for each in intervals:
        made.add(each)
    return made


def without_histogram(given: Spread) -> Spread:
    return msgspec.structs.replace(given, hdr="")


def test_the_last_seconds_and_the_whole_are_reckoned_from_all_latencies() -> None:
    slow = interval(0, deliveries=[100.0] * 100)
    fast = [interval(second, deliveries=[float(second)] * 100) for second in range(1, 8)]

    seen = history(slow, *fast)

    # The last five seconds had 3, 4, 5, 6 and 7 ms; of all eight, one in eight was 100 ms.
    recent, whole = seen.recent("deliver"), seen.whole("deliver")
    assert (recent.count, whole.count) == (500, 800)
    assert [recent.p50, recent.max] == pytest.approx([5, 7], rel=0.01)
    assert [whole.p50, whole.p99] == pytest.approx([4, 100], rel=0.01)


def test_without_histograms_the_worst_is_told() -> None:
    seen = history(
        interval(0, response={"echo": without_histogram(spread(1, 1, 50))}),
        interval(1, response={"echo": without_histogram(spread(2, 2, 3))}),
    )

    assert seen.recent("echo") == seen.whole("echo")
    assert (seen.whole("echo").count, seen.whole("echo").max) == (6, spread(50).max)


def test_an_operation_that_is_over_leaves_the_last_seconds() -> None:
    seen = history(
        interval(0, response={"join": spread(5)}), *[interval(s, response={}) for s in range(1, 6)]
    )

    assert seen.recent("join").count == 0
    assert seen.whole("join").count == 1
    assert seen.p99s("join")[1:] == [None] * 5


def test_courses_of_operations_that_began_at_different_times_lie_side_by_side() -> None:
    seen = history(interval(0, response={}), interval(1), interval(2, response={"echo": spread(1)}))

    assert [value is not None for value in seen.p99s("deliver")] == [False, True, False]
    assert [value is not None for value in seen.p99s("echo")] == [False, False, True]
    assert len(seen.delivered) == len(seen.server_cpu) == 3


def test_the_main_operation_is_the_most_telling_one() -> None:
    assert history().main() == ""
    assert history(interval(0, response={"bridge": spread(1)})).main() == "bridge"
    assert history(interval(0, response={"bridge": spread(1), "deliver": spread(1)})).main() == "deliver"


def test_where_room_is_short_the_telling_operations_are_kept() -> None:
    names = ("sign_in", "bridge", "tcp", "upgrade", "arrive", "join", "deliver")

    assert history(interval(0, response=dict.fromkeys(names, spread(1)))).telling(2) == ["join", "deliver"]


def test_rates_are_a_second_also_in_longer_intervals() -> None:
    assert history(interval(0, for_s=5.0, counts={"sent": 50})).rate("sent") == 10
    assert history(interval(0, for_s=0.0)).rate("sent") == 0
    assert history().rate("sent") == 0


def test_the_newest_error_is_shown_among_the_frequent_ones() -> None:
    seen = history(interval(0, errors={"a": 9, "b": 8, "c": 7}), interval(1, errors={"d": 1}))

    assert [(error.text, error.count) for error in seen.errors(2)] == [("a", 9), ("d", 1)]
    assert seen.errors(2)[1].last_s == 2.0
    assert seen.error_count() == 25
    assert history().errors(3) == []


def test_faults_that_intervals_tell_are_added_up() -> None:
    seen = history(interval(0, counts={"lost": 2, "sent": 5}), interval(1, counts={"lost": 1, "corrupt": 0}))

    assert seen.faults == {"lost": 3, "corrupt": 0}


def test_a_long_run_takes_no_more_room() -> None:
    many_errors = {f"error {number}": 1 for number in range(2 * MAX_ERRORS)}
    many_operations = {f"operation {number}": spread(1) for number in range(2 * MAX_OPERATIONS)}

    seen = history(
        interval(0, errors=many_errors, response=many_operations),
        *(interval(second) for second in range(1, 2 * COURSE)),
    )

    assert len(seen.errors(10 * MAX_ERRORS)) == MAX_ERRORS + 1
    assert {error.text: error.count for error in seen.errors(MAX_ERRORS + 1)}[OTHERS] == MAX_ERRORS
    assert len(seen.operations()) == MAX_OPERATIONS
    assert len(seen.delivered) == len(seen.p99s("operation 0")) == COURSE


def test_a_swarm_that_keeps_up_is_valid_so_far() -> None:
    assert history(*(interval(second, own=own()) for second in range(9))).standing() == ("valid", "")


@pytest.mark.parametrize(
    "strain", [own(lag_ms=20.1), own(slip_ms=20.1), own(cpu=0.93)], ids=["lag", "slip", "processor"]
)
def test_a_second_that_would_spoil_the_run_if_it_lasted_is_told(strain: OwnUse) -> None:
    seen = history(interval(5, own=strain))
    then = history(interval(5, own=strain), interval(6, own=own()))

    assert seen.standing()[0] == "strained"
    assert then.standing()[0] == "valid"


@pytest.mark.parametrize("spoilt", [own(lag_ms=1001), own(gc_ms=101)], ids=["lag", "collector"])
def test_what_spoils_a_run_spoils_it_for_good(spoilt: OwnUse) -> None:
    seen = history(interval(5, own=spoilt), interval(6, own=own()))
    before = history(interval(1, own=spoilt), interval(6, own=own()))

    assert seen.standing()[0] == "INVALID"
    assert before.standing()[0] == "valid"


def test_a_worker_that_is_busy_all_the_time_spoils_the_run() -> None:
    seen = history(*(interval(second, own=own(cpu=0.95)) for second in range(3, 9)))

    assert seen.standing() == ("INVALID", "it used 95 % of a core")


@pytest.mark.parametrize("late", [own(lag_ms=1001), own(lag_ms=21)], ids=["spoilt", "strained"])
def test_what_keeps_it_busy_behind_the_load_spoils_nothing(late: OwnUse) -> None:
    end_s = round(PLAN.ramp_s + PLAN.warm_up_s + PLAN.duration_s)

    assert history(interval(end_s, own=late)).standing()[0] == "valid"
    assert history(interval(end_s - 1, own=late)).standing()[0] != "valid"


def test_where_the_crowds_changes_are_the_load_all_of_it_counts() -> None:
    seen = History(msgspec.structs.replace(PLAN, profile=Profile(shape="step")))
    seen.add(interval(0, own=own(lag_ms=1001)))

    assert seen.standing()[0] == "INVALID"
