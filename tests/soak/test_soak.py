"""A few seconds of what `make soak-players` does for half an hour, against an impatient server."""

import os
from pathlib import Path

from tests.soak.plan import hasty
from tests.soak.soaked import soaked


def test_honest_players_hear_everything_among_those_who_do_not_behave(tmp_path: Path) -> None:
    lines: list[str] = []

    found = soaked(hasty(60, 8), tmp_path, max(os.sched_getaffinity(0)), lines.append, line_s=2)

    assert found == [], "\n".join(lines)
