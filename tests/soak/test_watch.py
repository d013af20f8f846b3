"""What is read from metrics and logs."""

import json
from pathlib import Path

import pytest

from tests.soak.watch import Log, by_label, parsed, quantile_s, slope

BEFORE = parsed('lag_bucket{le="0.01"} 5\nlag_bucket{le="0.1"} 5\nlag_bucket{le="+Inf"} 5\n')
AFTER = parsed(
    "# HELP lag Nothing\n"
    'lag_bucket{le="0.01"} 103\nlag_bucket{le="0.1"} 104\nlag_bucket{le="+Inf"} 105\n'
    'closed{code="1000"} 7\nclosed{code="1006"} 0\n'
)


def test_a_quantile_is_of_what_came_between_two_looks() -> None:
    shares = [quantile_s(AFTER, BEFORE, "lag", share) for share in (0.5, 0.98, 0.99, 1)]

    assert shares == [0.01, 0.01, 0.1, float("inf")]
    assert quantile_s(BEFORE, BEFORE, "lag", 0.99) == 0


def test_values_are_told_by_their_labels() -> None:
    assert by_label(AFTER, "closed") == {'code="1000"': 7}


def test_the_slope_is_of_the_line_nearest_to_all_points() -> None:
    assert slope([(0, 10), (1, 12), (2, 14)]) == pytest.approx(2)
    assert slope([(0, 10), (1, 16), (2, 10)]) == pytest.approx(0)
    assert slope([(1, 5)]) == 0
    assert slope([]) == 0


def test_a_log_tells_endings_and_complaints(tmp_path: Path) -> None:
    closed = {"event": "socket_closed", "level": "info", "code": 1000, "reason": "pong timeout"}
    failed = {"event": "task_failed", "level": "error", "error": "KeyError"}
    output, errors = tmp_path / "output", tmp_path / "errors"
    output.write_text(f"{json.dumps(closed)}\n{json.dumps(failed)}\nTraceback (most recent call last):\n")
    errors.write_text("Fatal Python error\n")

    log = Log(output, errors)

    assert log.endings == {"1000 pong timeout": 1}
    assert log.levels == {"info": 1, "error": 1}
    assert sorted(log.errors) == [
        "on standard error: Fatal Python error",
        "printed: Traceback (most recent call last):",
        "task_failed KeyError",
    ]
