"""The picture of a run: what it shows, that it fits, and that the terminal is given back."""

import io
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from loadtest.faces.live import LiveView, spark
from loadtest.plan import Plan
from loadtest.result import OwnUse, ServerUse
from tests.support.swarm_results import interval, spread

PLAN = Plan(players=500, ramp_s=2, warm_up_s=1, duration_s=57)
METRICS = {"lockgate_loop_lag_seconds_p99": 0.0042, "lockgate_outgoing_unsent_bytes": 2.0**21}
PARTS = ("valid so far", "500 connected", "server", "swarm", "deliver", "server CPU", "FAULTS", "errors")
HIDE, SHOW = b"\x1b[?25l", b"\x1b[?25h"
OTHER_SCREEN, OWN_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"

RUN_UNTIL_INTERRUPTED = """
import time
from loadtest.faces.live import LiveView
from loadtest.plan import Plan

with LiveView(Plan()) as view:
    view.phase("waiting for the signal")
    while True:
        time.sleep(0.01)
"""


def view_of(width: int, height: int, plan: Plan = PLAN) -> tuple[LiveView, Console]:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, record=True)
    return LiveView(plan, console), console


def shown(view: LiveView, console: Console) -> list[str]:
    """The lines of the picture as it is now."""
    console.print(view, end="")
    return console.export_text().split("\n")


def busy(width: int, height: int, seconds: int = 20) -> list[str]:
    """The picture of a run with all that there can be to show."""
    view, console = view_of(width, height)
    for second in range(seconds):
        view.interval(
            interval(
                second,
                connected=500,
                counts={"arrived": 3, "sent": 5000, "delivered": 45_000, "lost": second % 2},
                response={
                    name: spread(3.0, 4.0, 12.0)
                    for name in ("sign_in", "bridge", "tcp", "upgrade", "arrive", "join", "echo", "deliver")
                },
                errors={
                    f"the server closed with 1001 [red]{'long ' * 40}\x1b[2J": 1,
                    "refused": 2,
                    "x": 1,
                    "y": 1,
                },
                own=OwnUse(cpu=0.4, lag_ms=2.1, slip_ms=0.5, gc_ms=0.25),
                server=ServerUse(cpu=0.61, rss_bytes=93 * 2**20, metrics=METRICS),
            )
        )
    return shown(view, console)


def test_a_run_is_shown_as_a_whole() -> None:
    text = "\n".join(busy(120, 40))

    assert "relay · 500 players · json · seed 1" in text
    assert "valid so far" in text
    assert "0:20 of 1:00" in text
    assert "500 connected   3/s arrive   5000/s sent   45.0k/s delivered" in text
    assert "61 % of a core   93 MiB   loop p99 4.20 ms late   2 MiB unsent" in text
    assert "40 % of a core   loop 2.10 ms late   acts 0.50 ms late   gc 0.25 ms" in text
    assert "deliver        4.00   12.0   12.0   12.0       60   4.00   12.0   12.0   12.0" in text
    assert "deliver p99 12.0 ms" in text
    assert f"{'█' * 20}  max 12.0 ms" in text
    assert "FAULTS: 10 lost" in text
    assert "100 errors" in text
    assert "40 x  refused  last at 0:20" in text


@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (120, 40), (60, 15), (40, 10), (20, 5), (5, 2), (250, 80)]
)
def test_it_fits_the_terminal(width: int, height: int) -> None:
    lines = busy(width, height)

    assert len(lines) <= height + 1
    assert max(cell_len(line) for line in lines) <= width
    assert not any("\x1b" in line for line in lines)


def test_on_a_small_terminal_there_is_all_that_matters() -> None:
    text = "\n".join(busy(80, 24))

    assert [part for part in PARTS if part not in text] == []


def test_a_terminal_that_is_resized_is_filled_anew() -> None:
    view, console = view_of(80, 24)
    view.interval(interval(0))
    before = shown(view, console)
    console.size = console.size._replace(width=40, height=9)
    after = shown(view, console)

    assert max(map(len, before)) == 80
    assert max(map(len, after)) == 40
    assert len(after) <= 10


def test_a_run_that_just_began_has_little_to_show() -> None:
    view, console = view_of(80, 24)
    view.phase("the players sign in")

    lines = shown(view, console)

    assert "the players sign in" in lines[1]
    assert "".join(lines[2:]).strip() == ""


def test_a_run_that_does_not_count_says_so() -> None:
    view, console = view_of(80, 24)
    view.interval(interval(5, own=OwnUse(cpu=0.4, lag_ms=1200.0, slip_ms=0.5, gc_ms=0.25)))

    assert shown(view, console)[0].rstrip().endswith("INVALID: its loop was 1200 ms late")


def test_a_server_that_tells_nothing_is_unknown() -> None:
    view, console = view_of(80, 24)
    view.interval(interval(0, server=None))

    text = "\n".join(shown(view, console))
    assert "server      unknown" in text
    assert "server CPU" not in text


def test_a_course_is_drawn_from_nothing_to_its_maximum() -> None:
    assert spark([0, 1, 2, 3, 4, 5, 6, 7, 8], 9) == "▁▂▃▄▅▆▇██"
    assert spark([4.0, None, 4.0], 9) == "█ █"
    assert spark([0.0, 0.0], 9) == "▁▁"
    assert spark([1.0, 2.0, 4.0], 2) == "▅█"
    assert spark([1.0], 0) == spark([], 5) == ""


def written_to_a_terminal(interrupt: int) -> tuple[bytes, int]:
    """What a run writes that gets this signal once it shows something, and its exit status."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN_UNTIL_INTERRUPTED],
        cwd=Path(__file__).parents[3],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    written = b""
    try:
        while b"waiting for the signal" not in written:
            written += os.read(ours, 4096)
        run.send_signal(interrupt)
        with suppress(OSError):  # Linux tells the end of a terminal so
            while block := os.read(ours, 4096):
                written += block
        return written, run.wait(timeout=30)
    finally:
        run.kill()
        run.wait()
        os.close(ours)


def test_ctrl_c_gives_the_terminal_back() -> None:
    written, status = written_to_a_terminal(signal.SIGINT)

    assert status != 0
    assert written.index(HIDE) < written.rindex(SHOW)
    assert written.index(OTHER_SCREEN) < written.rindex(OWN_SCREEN)
    assert written.rfind(HIDE) < written.rfind(SHOW)


def test_the_end_may_come_twice() -> None:
    view, console = view_of(80, 24)
    with view:
        view.interval(interval(0))
        view.end()
    view.end()

    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count(OWN_SCREEN.decode()) == 1
