"""Runs that are not alike are told, and what one wants to compare is not."""

from typing import Any

import msgspec
import pytest

from loadtest.likeness import differences
from loadtest.plan import Plan
from loadtest.result import Result, Truth
from tests.support.swarm_results import MACHINE, honesty, result

BASE = result()


def changed(**more: Any) -> Result:
    return msgspec.structs.replace(BASE, **more)


def planned(**more: Any) -> Result:
    return changed(plan=Plan(**{"players": 10, "duration_s": 3, **more}).tell())


def on(**more: Any) -> Result:
    return changed(machine=msgspec.structs.replace(MACHINE, **more))


def test_runs_that_are_alike_have_no_differences() -> None:
    assert differences(BASE, changed(begun="2026-11-24T10:00:00Z")) == []


@pytest.mark.parametrize(
    ("other", "line"),
    [
        (planned(scenario="echo"), "scenario differs: relay in A, echo in B"),
        (planned(players=20), "players differs: 10 in A, 20 in B"),
        (planned(settings={"rate": 5}), "settings.rate differs: nothing in A, 5 in B"),
        (planned(format="protobuf"), "format differs: json in A, protobuf in B"),
        (planned(seed=2), "seed differs: 1 in A, 2 in B"),
        (on(cpus=8), "processors differs: 2 in A, 8 in B"),
        (on(cpu_model="another"), "processor differs: a processor in A, another in B"),
        (on(affinity=[1]), "processors of the swarm differs: [0, 1] in A, [1] in B"),
        (on(memory_bytes=2**33), "memory differs: 16 GiB in A, 8 GiB in B"),
        (on(network="network tls"), "network differs: loopback in A, network tls in B"),
        (on(system="Linux 7"), "system differs: Linux 6.18 in A, Linux 7 in B"),
        (changed(schema=0), "schema differs: 1 in A, 0 in B"),
        (changed(stopped_early=True), "B was stopped early"),
        (changed(connected=5), "most players connected differs: 10 in A, 5 in B"),
        (changed(truth=Truth(lost=1200)), "B has faults: lost 1,200"),
        (changed(errors={"503": 2, "x": 1}), "B has errors: 3"),
        (changed(honesty=honesty("late")), "B is INVALID, its figures are the swarm's own: late"),
        (
            changed(verdict="invalid"),
            "B is INVALID, its figures are the swarm's own: the swarm was the bottleneck",
        ),
    ],
)
def test_a_difference_is_told(other: Result, line: str) -> None:
    assert differences(BASE, other) == [line]


def test_members_of_an_option_are_told_each() -> None:
    other = planned(profile={"shape": "spike", "base": 0.5, "steps": 5, "period_s": 10.0, "churn_per_s": 1.0})

    assert differences(BASE, other) == [
        "profile.base differs: 0.1 in A, 0.5 in B",
        "profile.shape differs: constant in A, spike in B",
    ]


@pytest.mark.parametrize(
    "other",
    [
        planned(url="http://elsewhere:7350"),
        planned(thresholds=["lost==0"]),
        planned(server_pid=5),
        on(versions={**MACHINE.versions, "server": "2.0"}),
        on(commit="abc"),
    ],
)
def test_what_one_wants_to_compare_is_no_difference(other: Result) -> None:
    assert differences(BASE, other) == []


def test_another_python_is_told() -> None:
    other = on(versions={**MACHINE.versions, "python": "3.13.1"})

    assert differences(BASE, other) == ["version of python differs: 3.11.7 in A, 3.13.1 in B"]


def test_both_runs_are_looked_at_and_the_gravest_comes_first() -> None:
    one = changed(honesty=honesty("slow"))
    other = changed(honesty=honesty("late"), plan=Plan(players=5, scenario="echo").tell())

    lines = differences(one, other)

    assert [line.split()[0] for line in lines[:3]] == ["A", "B", "scenario"]


def test_an_endless_option_is_cut() -> None:
    assert all(len(line) < 250 for line in differences(BASE, planned(scenario="x" * 100_000)))
