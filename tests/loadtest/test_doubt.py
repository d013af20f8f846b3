"""A threshold that the swarm's own lateness may have broken says nothing about the server."""

from typing import Any

import pytest

from loadtest.doubt import doubts
from loadtest.result import Result, Timing, Truth
from loadtest.threshold import parse
from loadtest.verdict import judge, why
from tests.support.swarm_results import honesty, result, spread, timing

OWN = {"lag_p99_ms": 9.0, "lag_max_ms": 30.0, "slip_p99_ms": 6.0}


def judged(*thresholds: str, latency_ms: float = 30.0, own: dict[str, float] = OWN, **more: Any) -> Result:
    timings = {
        "deliver": Timing(response=spread(latency_ms), service=spread(latency_ms)),
        "own": timing(30.0),
    }
    found = result(timings=timings, honesty=honesty(**own), **more)
    return judge(found, [parse(each, ("own",)) for each in thresholds], ())


@pytest.mark.parametrize(
    "threshold",
    ["deliver_p99<20ms", "deliver_p90<=20ms", "own_p99<16ms", "deliver_p99.9<1ms", "deliver_max<1ms"],
)
def test_what_the_swarm_may_have_added_makes_the_run_invalid(threshold: str) -> None:
    found = judged(threshold)

    assert found.verdict == "invalid"
    assert why(found)[0].startswith(f"invalid: {threshold} does not hold with 30.0 ms, to which the swarm")


@pytest.mark.parametrize(
    "threshold",
    [
        "deliver_p99<14ms",  # 30 less 15 is more than that
        "deliver_service_p99<20ms",  # nothing was begun late in that
        "deliver_p50<20ms",
        "deliver_mean<20ms",
        "deliver_p99>40ms",
        "deliver_count>5",
        "lag_p99<5ms",
        "sent_per_s>1000000",
    ],
)
def test_what_it_cannot_have_added_fails_the_run(threshold: str) -> None:
    assert judged(threshold).verdict == "failed"


def test_a_swarm_that_was_on_time_leaves_no_doubt() -> None:
    on_time = {"lag_p99_ms": 0.5, "lag_max_ms": 2.0, "slip_p99_ms": 0.5}

    assert judged("deliver_p99<20ms", own=on_time).verdict == "failed"


@pytest.mark.parametrize("more", [{"truth": Truth(lost=1)}, {"errors": {"no reply": 1}}])
def test_whatever_else_fails_a_run_fails_it_without_a_doubt(more: dict[str, Any]) -> None:
    found = judged("deliver_p99<20ms", **more)

    assert found.verdict == "failed"
    assert len(why(found)) == 2


def test_one_threshold_that_is_surely_broken_is_enough_to_fail() -> None:
    found = judged("deliver_p99<20ms", "deliver_p50<20ms")

    assert found.verdict == "failed"
    assert len(doubts(found)) == 1


def test_a_threshold_that_holds_is_not_doubted() -> None:
    found = judged("deliver_p99<31ms")

    assert (found.verdict, doubts(found)) == ("passed", [])


def test_what_a_later_program_asked_is_not_doubted() -> None:
    found = judged("deliver_p50<20ms")
    found.thresholds[0] = type(found.thresholds[0])(text="deliver#p99 ~ 3", found=30.0, held=False)

    assert doubts(found) == []
