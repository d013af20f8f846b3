"""What a reader of the report is told."""

from collections import Counter
from typing import Any

import pytest

from loadtest.histogram import Histogram
from loadtest.ledger import Tally
from loadtest.options import parse
from loadtest.probe import Usage
from loadtest.report import Result, write

CLEAN = Tally(sent=100, expected=900, delivered=900, duplicated=0, reordered=0, wrong=0)


def histogram(*microseconds: int) -> Histogram:
    made = Histogram()
    for value in microseconds:
        made.record(value)
    return made


def result(**changes: Any) -> Result:
    given: dict[str, Any] = {
        "tally": CLEAN,
        "latencies": {"delivery (response)": histogram(1000, 2000), "connect": Histogram()},
        "slip": histogram(100),
        "connected": 10,
        "measured_s": 10.0,
    }
    return Result(**{**given, **changes})


def test_a_clean_run_says_so() -> None:
    text = write(result(), parse([]))

    assert "delivered 900 of 900, lost 0" in text
    assert "all received, once and in order" in text
    assert "INVALID" not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"tally": Tally(100, 900, 899, 0, 0, 0)},
        {"tally": Tally(100, 900, 900, 1, 0, 0)},
        {"tally": Tally(100, 900, 900, 0, 1, 0)},
        {"tally": Tally(100, 900, 900, 0, 0, 1)},
        {"dropped": Counter({"the connection broke": 1})},
        {"refused": 1},
    ],
)
def test_every_kind_of_fault_spoils_the_result(changes: dict[str, Any]) -> None:
    spoiled = result(**changes)

    assert not spoiled.is_good
    assert "FAULTS FOUND" in write(spoiled, parse([]))


def test_reasons_of_dropped_sockets_are_told() -> None:
    text = write(result(dropped=Counter({"the server closed with 1000 pong timeout": 3})), parse([]))

    assert "3 x the server closed with 1000 pong timeout" in text


def test_the_servers_use_is_told_per_delivery() -> None:
    text = write(result(before=Usage(1.0, 2**20), after=Usage(1.9, 50 * 2**20)), parse([]))

    assert "0.90 s CPU (9 %), 1000.0 us per delivery, 50.0 MiB resident" in text
    assert "CPU and memory unknown" in write(result(), parse([]))


def test_a_swarm_that_was_late_does_not_count() -> None:
    late = result(slip=histogram(*[200_000] * 10))

    assert not late.is_valid
    assert "INVALID" in write(late, parse([]))


def test_nothing_measured_is_reported_too() -> None:
    nothing = Result(tally=Tally(0, 0, 0, 0, 0, 0), latencies={"connect": Histogram()}, slip=Histogram())

    assert "measured   0.0 s" in write(nothing, parse([]))
