"""The closing text, from results that the test makes."""

from typing import Any

import msgspec
import pytest

from loadtest.faces.summary import WIDTH, text
from loadtest.plan import Plan
from loadtest.result import FAULTS, Outcome, Truth
from tests.support.swarm_results import MACHINE, honesty, interval, result, timing

LATE = "for one percent of the time a worker's loop was late by 35.0 ms or more (limit 20.0 ms)"


def last_paragraph(**members: Any) -> str:
    return text(result(**members)).strip().split("\n\n")[-1]


def unwrapped(told: str) -> str:
    return " ".join(told.split())


def test_a_passed_run_tells_all_that_was_found() -> None:
    told = text(result(verdict="passed"))

    assert "scenario    relay, 10 of 10 players, json, seed 1" in told
    assert "machine     a processor, 2 CPUs, 16.0 GiB, Linux 6.18" in told
    assert "deliver                 9      4.00      5.00      5.00      5.00      5.00" in told
    assert "sent 9, delivered 9 of 9 expected" in told
    assert "server      40 % of a core" in told
    assert told.endswith("\nPASSED: no faults.\n")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_told_and_fails(name: str) -> None:
    told = unwrapped(text(result(truth=Truth(**{name: 4}), verdict="failed")))

    assert f"{name.replace('_', ' ')} 4" in told
    assert told.endswith(f"FAILED: - {name}: 4")


def test_allowed_faults_are_told_and_not_held_against_the_server() -> None:
    told = text(result(truth=Truth(duplicated=4), allowed=["duplicated"], verdict="passed"))

    assert "duplicated 4 (allowed)" in told
    assert told.endswith("PASSED: no faults but those allowed.\n")


def test_thresholds_are_told_with_what_was_found() -> None:
    told = text(
        result(
            thresholds=[
                Outcome(text="deliver_p99<20ms", found=34.25, held=False),
                Outcome(text="lost==0", found=0.0, held=True),
                Outcome(text="kick_p99<1s", found=None, held=False),
            ],
            verdict="failed",
        )
    )

    assert "thresholds  NOT HELD  deliver_p99<20ms  (found 34.25)" in told
    assert "            held      lost==0  (found 0)" in told
    assert "            NOT HELD  kick_p99<1s  (nothing to look at)" in told
    assert [line.split(":")[0] for line in told.splitlines()[-3:]] == [
        "FAILED",
        "  - deliver_p99<20ms",
        "  - kick_p99<1s",
    ]


def test_an_error_that_fails_a_run_is_its_reason() -> None:
    told = text(result(errors={"no reply": 3}, verdict="failed"))

    assert told.endswith("FAILED:\n  - error: no reply (3 times)\n")


def test_an_invalid_run_says_loudly_that_it_says_nothing() -> None:
    assert last_paragraph(honesty=honesty(LATE), verdict="invalid") == (
        "INVALID: the swarm was the bottleneck, so this run says nothing about the server:\n"
        "  - for one percent of the time a worker's loop was late by 35.0 ms or more (limit 20.0 ms)"
    )


def test_reasons_make_a_run_invalid_whatever_its_verdict_says() -> None:
    assert last_paragraph(honesty=honesty(LATE), verdict="passed").startswith("INVALID")


def test_a_fault_counts_also_in_an_invalid_run() -> None:
    told = last_paragraph(honesty=honesty(LATE), truth=Truth(misdelivered=1), verdict="invalid")

    assert told.endswith("Found nevertheless:\n  - misdelivered: 1")


def test_the_servers_cost_is_that_of_the_measured_time() -> None:
    warm_up = interval(0, counts={"delivered": 1_000_000})
    measured = [interval(second, counts={"delivered": 20_000}) for second in (2, 3)]

    told = text(result(intervals=[warm_up, *measured], measured_from_s=2.0, measured_s=2.0, server_cpu=0.5))

    assert "50 % of a core, 25.0 us per delivery, 90 MiB resident at most" in told
    assert "delivered 20000/s" in told


def test_what_is_unknown_is_not_made_up() -> None:
    told = text(result(server_cpu=None, server_rss_bytes=None, timings={}, intervals=[], truth=Truth()))

    assert "its use of processor and memory is unknown" in told
    assert "response, ms" not in told
    assert "per delivery" not in told


def test_an_operation_that_never_happened_has_no_latency() -> None:
    line = next(line for line in text(result(timings={"kick": timing()})).splitlines() if "kick" in line)

    assert line.split() == ["kick", "0", *"------"]


def test_the_most_frequent_errors_come_first_and_the_rest_is_counted() -> None:
    errors = {f"error {number}": number for number in range(1, 31)}

    told = text(result(errors=errors))

    assert "errors            30 x  error 30\n" in told
    assert "     210 x  20 other kinds\n" in told
    assert "error 20\n" not in told


def test_facts_and_counts_of_a_scenario_are_told() -> None:
    told = text(result(facts={"recovery": "all were back after 2.3 s"}, counts={"sent": 9, "dropped": 3}))

    assert "recovery    all were back after 2.3 s" in told
    assert "counted     dropped 3" in told


def test_a_commit_is_told_and_that_it_was_changed() -> None:

    machine = msgspec.structs.replace(MACHINE, commit="0123456789abcdef0123-dirty", affinity=[1])

    told = text(result(machine=machine))

    assert "commit 0123456789ab-dirty" in told
    assert "2 CPUs (1 used)" in told


@pytest.mark.parametrize("verdict", ["", "passed", "failed", "invalid"])
def test_no_line_is_too_long_and_none_commands_the_terminal(verdict: str) -> None:
    long = "word " * 60 + "x" * 300 + "\x1b[2J"
    plan = Plan(scenario=f"/{long}", settings={"setting": long}, thresholds=[long]).tell()

    told = text(
        result(
            plan=plan,
            errors={long: 3},
            facts={long: long},
            counts={long: 2},
            thresholds=[Outcome(text=long, found=1.0, held=False)],
            honesty=honesty(long) if verdict == "invalid" else honesty(),
            timings={long: timing(3_600_000)},
            verdict=verdict,
        )
    )

    assert max(len(line) for line in told.splitlines()) <= WIDTH
    assert all(line.isprintable() for line in told.split("\n"))
