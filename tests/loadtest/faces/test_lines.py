"""A run in plain lines."""

import re

from loadtest.faces.lines import Lines
from loadtest.plan import Plan
from loadtest.result import Interval, OwnUse
from tests.support.swarm_results import interval, spread


def told(*intervals: Interval) -> list[str]:
    lines: list[str] = []
    watcher = Lines(Plan(ramp_s=0, warm_up_s=0), lines.append)
    for each in intervals:
        watcher.interval(each)
    watcher.end()
    return lines


def columns(line: str) -> list[str]:
    """What stands first in each column: its name."""
    return [column.split()[0] for column in re.split(r"\s{2,}", line.strip())[1:]]


def test_an_interval_is_a_line() -> None:
    second = interval(
        11,
        connected=500,
        counts={"sent": 5000, "delivered": 45000, "dropped": 2, "lost": 0},
        errors={"gone": 2},
        response={"deliver": spread(2.1, 2.1, 12.0), "bridge": spread(4)},
        own=OwnUse(cpu=0.4, lag_ms=1.0, slip_ms=2.0, gc_ms=0.5),
    )

    assert told(second)[0] == (
        "  12 s  connected 500  sent 5000/s  delivered 45000/s  dropped 2  faults 0  errors 2"
        "  deliver p50 2.10 p99 12.0 ms  server 40 % 90 MiB  swarm 40 % lag 1.00 slip 2.00 ms  valid"
    )


def test_columns_stay_where_nothing_is_known() -> None:
    known, unknown = told(interval(0), interval(1, server=None, response={}, counts={}))

    assert columns(known) == columns(unknown)
    assert "deliver p50 - p99 - ms" in unknown
    assert "server - % - MiB" in unknown


def test_faults_that_nobody_counts_are_not_called_none() -> None:
    assert "  faults -  " in told(interval(0))[0]
    assert "  faults 3  " in told(interval(0, counts={"lost": 1, "corrupt": 2}))[0]


def test_each_kind_of_error_is_told_once() -> None:
    lines = told(interval(0, errors={"gone\x1b[2J": 2}), interval(1, errors={"gone\x1b[2J": 2}))

    assert [line for line in lines if "!!" in line] == ["   1 s  !! gone [2J"]
    assert len(lines) == 3


def test_errors_without_end_do_not_flood() -> None:
    lines = told(*(interval(s, errors={f"error {s} {n}": 1 for n in range(100)}) for s in range(100)))

    assert len(lines) <= 100 + 205


def test_a_phase_is_a_line_that_can_be_found() -> None:
    lines: list[str] = []

    Lines(Plan(), lines.append).phase("measuring")

    assert lines == ["   0 s  -- measuring"]
