"""What becomes of a run whose test leaves a transport open."""

import subprocess
import sys
from pathlib import Path

import pytest

INI = """
[pytest]
filterwarnings = error
asyncio_default_fixture_loop_scope = function
"""
TEST = """
import asyncio
import uvloop

async def listen():
    return await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)

def test_listens():
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        listener = runner.run(listen())
        {closes}
"""


def run(folder: Path, *, closes: str, more: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_one.py").write_text(TEST.format(closes=closes))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.left_open", *more, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("more", [(), ("-n", "1")], ids=["alone", "shared out"])
def test_a_transport_left_open_fails_the_run_by_name(tmp_path: Path, more: tuple[str, ...]) -> None:
    ran = run(tmp_path, closes="pass", more=more)

    assert ran.returncode == pytest.ExitCode.TESTS_FAILED, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout
    assert "LEFT OPEN a transport: test_one.py::test_listens" in ran.stdout


def test_a_run_that_closes_all_is_as_before(tmp_path: Path) -> None:
    ran = run(tmp_path, closes="listener.close()")

    assert ran.returncode == pytest.ExitCode.OK, ran.stdout + ran.stderr
    assert "LEFT OPEN" not in ran.stdout
