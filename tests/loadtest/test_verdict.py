"""What makes a run pass, fail, or tell nothing."""

import pytest

from loadtest.failures import SwarmError
from loadtest.result import FAULTS, Result, Truth
from loadtest.threshold import parse
from loadtest.verdict import EXIT, check_allowed, judge, why
from tests.support.swarm_results import honesty, result


def judged(found: Result, *thresholds: str, allow: tuple[str, ...] = ()) -> Result:
    return judge(found, [parse(each) for each in thresholds], allow)


def test_a_run_without_faults_passes() -> None:
    found = judged(result(), "deliver_p99<20ms", "lost==0")

    assert (found.verdict, why(found)) == ("passed", [])
    assert [each.held for each in found.thresholds] == [True, True]


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_a_run_and_is_told(fault: str) -> None:
    found = judged(result(truth=Truth(**{fault: 1200})))

    assert (found.verdict, why(found)) == ("failed", [f"{fault}: 1,200"])


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_allowed_fails_nothing_and_excuses_no_other(fault: str) -> None:
    both = result(truth=Truth(**{**dict.fromkeys(FAULTS, 1), fault: 3}))

    alone = judged(result(truth=Truth(**{fault: 3})), allow=(fault,))
    found = judged(both, allow=(fault,))

    assert (alone.verdict, alone.allowed) == ("passed", [fault])
    assert found.verdict == "failed"
    assert len(why(found)) == len(FAULTS) - 1


def test_counts_that_are_no_faults_fail_nothing() -> None:
    found = judged(result(truth=Truth(sent=5, expected=5, delivered=5), counts={"dropped": 9}))

    assert found.verdict == "passed"


def test_a_threshold_that_does_not_hold_fails_the_run() -> None:
    found = judged(result(), "deliver_p99<20ms", "bridge_max<1ms", "echo_p99<1s")

    assert found.verdict == "failed"
    assert why(found) == [
        "bridge_max<1ms: found 7.003 ms, does not hold",
        "echo_p99<1s: nothing to look at, does not hold",
    ]


def test_a_fault_that_is_allowed_still_has_to_keep_its_threshold() -> None:
    found = judged(result(truth=Truth(lost=11)), "lost<10", allow=("lost",))

    assert (found.verdict, why(found)) == ("failed", ["lost<10: found 11, does not hold"])


def test_an_unexpected_error_fails_the_run() -> None:
    found = judged(result(errors={"503": 1, "closed with 1006": 7, "none": 0}))

    assert found.verdict == "failed"
    assert why(found) == ["error: closed with 1006 (7 times)", "error: 503 (1 times)"]


@pytest.mark.parametrize(
    ("allow", "verdict"),
    [
        (("errors",), "passed"),
        (("errors[503]", "errors[CLOSED]"), "passed"),
        (("errors[503]",), "failed"),
        (("lost",), "failed"),
        (("errors[]",), "failed"),
    ],
)
def test_errors_are_allowed_all_or_by_what_they_say(allow: tuple[str, ...], verdict: str) -> None:
    assert judged(result(errors={"503": 1, "Closed with 1006": 7}), allow=allow).verdict == verdict


@pytest.mark.parametrize(("errors", "verdict"), [(7, "passed"), (8, "failed")])
def test_no_more_errors_than_drops_are_allowed_with_them(errors: int, verdict: str) -> None:
    found = result(errors={"closed with 1006": 5, "gone": errors - 5}, counts={"dropped": 7})

    assert judged(found, allow=("dropped",)).verdict == verdict


def test_many_kinds_of_errors_are_told_in_few_lines() -> None:
    found = judged(result(errors={f"error {number:03}": number + 1 for number in range(500)}))

    assert len(why(found)) == 11
    assert why(found)[0] == "error: error 499 (500 times)"
    assert why(found)[-1] == "error: 490 other kinds"


def test_a_swarm_that_was_the_bottleneck_makes_the_run_invalid_whatever_it_found() -> None:
    late = honesty("the loop was 300 ms late")

    good = judged(result(honesty=late), "deliver_p99<20ms")
    bad = judged(result(honesty=late, truth=Truth(lost=1)), "deliver_p99<1us")

    assert (good.verdict, bad.verdict) == ("invalid", "invalid")
    assert why(good) == ["invalid: the loop was 300 ms late"]
    assert why(bad)[:2] == ["invalid: the loop was 300 ms late", "lost: 1"]


def test_nothing_that_is_allowed_makes_an_invalid_run_pass() -> None:
    found = judged(result(honesty=honesty("late")), allow=(*FAULTS, "errors"))

    assert found.verdict == "invalid"


def test_a_run_that_reached_nobody_fails() -> None:
    found = judged(result(connected=0))

    assert (found.verdict, why(found)) == ("failed", ["no player was ever connected"])


@pytest.mark.parametrize("measured_s", [0.0, 0.9])
def test_a_run_stopped_as_its_load_began_fails(measured_s: float) -> None:
    found = judged(result(stopped_early=True, measured_s=measured_s))

    assert found.verdict == "failed"
    assert "stopped before anything could be measured" in why(found)[0]


def test_a_run_that_did_not_do_what_its_scenario_is_for_fails() -> None:
    found = judged(result(measures="matchmaking"))

    assert found.verdict == "failed"
    assert why(found) == ["the run did not do what its scenario is for: no matchmaking was timed"]
    assert judged(result(measures="deliver")).verdict == "passed"


def test_a_short_load_that_was_planned_is_judged_by_what_it_found() -> None:
    found = result(measured_s=0.5)
    found.plan["duration_s"] = 0.5

    assert judged(found).verdict == "passed"


def test_a_run_stopped_within_its_load_is_judged_by_what_it_found() -> None:
    assert judged(result(stopped_early=True, measured_s=1.5)).verdict == "passed"


def test_judging_again_replaces_what_was_judged() -> None:
    once = judged(result(truth=Truth(lost=1)), "lost==0")

    again = judged(once, allow=("lost",))

    assert (again.verdict, again.thresholds, again.allowed) == ("passed", [], ["lost"])


def test_each_verdict_has_a_status_of_its_own_beside_could_not_run() -> None:
    assert EXIT == {"passed": 0, "failed": 1, "invalid": 3}


def test_all_that_can_be_allowed_is_accepted() -> None:
    check_allowed([*FAULTS, "errors", "errors[503]", "dropped"])


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("losst", "did you mean 'lost'"),
        ("sent", "known are lost"),
        ("errors[]", "cannot allow"),
        ("", "cannot allow"),
        ("error", "did you mean 'errors'"),
    ],
)
def test_what_cannot_be_allowed_is_refused_beforehand(name: str, complaint: str) -> None:
    with pytest.raises(SwarmError) as refusal:
        check_allowed([name])

    assert complaint in str(refusal.value)
