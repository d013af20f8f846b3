"""`lockgate swarm` against a server of its own process: exit statuses, the report, and Ctrl-C."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.running import RunningServer, running_server

LIMIT_S = 60


@contextmanager
def swarm(server: RunningServer, *options: str) -> Iterator[subprocess.Popen[str]]:
    issuer = urlsplit(server.issuer)
    places = {
        "--url": f"http://{server.public}",
        "--ops": f"http://{server.ops}",
        "--issuer": f"{issuer.scheme}://{issuer.netloc}",
    }
    arguments = [part for pair in places.items() for part in pair]
    command = [sys.executable, "-m", "server", "swarm", *arguments, "--players", "20", "--ramp", "0.2"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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


@pytest.mark.parametrize("spoken", ["json", "protobuf"])
def test_all_that_is_sent_arrives(tmp_path: Path, spoken: str) -> None:
    with (
        running_server(tmp_path) as server,
        swarm(server, "--duration", "2", "--format", spoken) as process,
    ):
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 0, printed
        assert f"20 of 20 players, {spoken}" in printed
        assert "sent 400, delivered 3600 of 3600, lost 0" in printed
        assert "us per delivery" in printed
        assert "all received, once and in order" in printed
        assert "eyJ" not in printed


def test_ctrl_c_ends_the_load_with_its_report(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, swarm(server, "--duration", "600") as process:
        wait_for(process, " s  connected 20")
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 0, printed
        assert "(stopped early)" in printed
        assert "all received, once and in order" in printed


def test_a_server_that_goes_away_is_a_fault(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, swarm(server, "--duration", "600") as process:
        wait_for(process, " s  connected 20")
        server.process.terminate()
        assert server.process.wait(LIMIT_S) == 0
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 1, printed
        assert "20 x the server closed with 4001 server restarting" in printed
        assert "FAULTS FOUND" in printed


def test_idle_players_stay(tmp_path: Path) -> None:
    with (
        running_server(tmp_path) as server,
        swarm(server, "--scenario", "idle", "--duration", "1") as process,
    ):
        printed, _ = process.communicate(timeout=LIMIT_S)

        assert process.returncode == 0, printed
        assert "dropped sockets 0" in printed
