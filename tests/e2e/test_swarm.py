"""`lockgate swarm` against a server of its own process: exit statuses, the report, and Ctrl-C."""

import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.running import RunningServer, running_server
from tests.support.swarm_runs import LENIENT

LIMIT_S = 60


@contextmanager
def swarm(server: RunningServer, *options: str, files: int = 0) -> Iterator[subprocess.Popen[str]]:
    """`files`: so many each of its processes may open at most."""
    issuer = urlsplit(server.issuer)
    places = {
        "--url": f"http://{server.public}",
        "--ops": f"http://{server.ops}",
        "--issuer": f"{issuer.scheme}://{issuer.netloc}",
    }
    arguments = [part for pair in places.items() for part in pair]
    command = [sys.executable, "-m", "server", "swarm", *arguments, "--players", "20", "--ramp", "0.2"]
    command += [part for name, most in LENIENT.items() for part in ("--limit", f"{name}={most}")]
    narrow = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (files, files)) if files else None
    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=narrow,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """What the process printed up to the first line with `text`."""
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if text in line:
            return "".join(printed)
    raise AssertionError(f"never printed {text!r}:\n{''.join(printed)}")


def test_all_that_is_sent_arrives(tmp_path: Path) -> None:
    with (
        running_server(tmp_path) as server,
        swarm(server, "--duration", "2", "--format", "protobuf") as process,
    ):
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 0, printed
        assert "20 of 20 players, protobuf" in printed
        assert re.search(r"delivered (\d+) of \1 expected", printed)
        assert "us per delivery" in printed
        assert "PASSED" in printed
        assert "eyJ" not in printed


def test_ctrl_c_ends_the_load_with_its_report(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, swarm(server, "--duration", "600") as process:
        wait_for(process, " 4 s  connected 20")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 0, printed
        assert "stopped early" in printed
        assert "PASSED" in printed


def test_a_server_that_goes_away_is_a_fault(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, swarm(server, "--duration", "600") as process:
        wait_for(process, " 4 s  connected 20")
        server.process.terminate()
        assert server.process.wait(LIMIT_S) == 0
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 1, printed
        assert re.search(r"20 .*the server closed with 4001 server restarting", printed)
        assert "FAILED" in printed


def test_players_who_find_no_file_left_make_a_run_invalid(tmp_path: Path) -> None:
    load = ("--scenario", "echo", "--players", "100", "--duration", "2")
    with running_server(tmp_path) as server, swarm(server, *load, files=64) as process:
        printed, _ = process.communicate(timeout=LIMIT_S)

    assert process.returncode == 3, printed
    assert re.search(r"INVALID.*\n  - \d+ times a machine of the swarm had no files left", printed), printed
    assert "Traceback" not in printed
