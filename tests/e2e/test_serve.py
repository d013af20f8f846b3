"""The server as a process: what an operator reads when it starts, cannot start, and stops."""

import base64
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import RunningServer, running_server, without_settings

PORTS = {
    "LOCKGATE_LISTEN__PUBLIC": "127.0.0.1:0",
    "LOCKGATE_LISTEN__OPS": "127.0.0.1:0",
    "LOCKGATE_DEV__PORT": "0",
}

# A proxy named in the environment is not asked for this machine's own addresses.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def refusal(folder: Path, *flags: str, **environment: str) -> str:
    """What `serve --dev` says when it cannot start: its error output, which must not be a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--dev", *flags],
        cwd=folder,
        env={**without_settings(), **PORTS, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


def ask(server: RunningServer, path: str, authorization: str, body: Any = None) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{server.public}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": authorization},
    )
    with OPENER.open(request, timeout=5) as answer:
        return dict(json.load(answer))


def sign_in(server: RunningServer, user: str) -> dict[str, Any]:
    key = base64.b64encode(b"defaultkey:").decode()
    body = {"id": server.identity_token(user)}
    return ask(server, "/v2/account/authenticate/custom", f"Basic {key}", body)


def test_a_listener_that_others_reach_is_refused_in_development(tmp_path: Path) -> None:
    assert "loopback" in refusal(tmp_path, "--public", "0.0.0.0:0")


def test_production_and_development_exclude_each_other(tmp_path: Path) -> None:
    keys = {"LOCKGATE_SOCKET__SERVER_KEY": "own-1", "LOCKGATE_RUNTIME__HTTP_KEY": "own-2"}

    assert "exclude each other" in refusal(tmp_path, LOCKGATE_PRODUCTION="true", **keys)


def test_a_damaged_key_of_the_development_issuer_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dev-issuer-keys.pem").write_text("no key")

    assert "data/dev-issuer-keys.pem" in refusal(tmp_path)


@pytest.mark.parametrize("setting", ["LOCKGATE_LISTEN__PUBLIC", "LOCKGATE_LISTEN__OPS", "LOCKGATE_DEV__PORT"])
def test_a_taken_port_is_told(tmp_path: Path, taken_port: int, setting: str) -> None:
    value = str(taken_port) if setting.endswith("PORT") else f"127.0.0.1:{taken_port}"

    assert f"{taken_port}" in refusal(tmp_path, **{setting: value})


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://lockgate:hunter2@127.0.0.1:1/game", "127.0.0.1:1/game"),
        (
            "postgresql://lockgate:hunter2@127.0.0.1:1/game?sslmode=hunter2",
            "sslmode must be one of",
        ),
        ("mysql://lockgate:hunter2@127.0.0.1:1/game", "must be sqlite:///path"),
    ],
)
def test_a_database_that_cannot_be_had_is_told_without_its_password(
    tmp_path: Path, url: str, told: str
) -> None:
    output = refusal(tmp_path, LOCKGATE_STORAGE__URL=url)

    assert told in output
    assert "hunter2" not in output


def test_a_ready_server_answers_and_stops_clean(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, OPENER.open(f"http://{server.ops}/readyz", timeout=5) as answer:
        assert answer.status == 200

    assert [event["event"] for event in server.events][-1] == "server_stopped"


def test_an_interrupt_stops_it_as_a_termination_does(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.process.send_signal(signal.SIGINT)

        assert server.process.wait(15) == 0


def test_accounts_and_sessions_outlive_a_restart(tmp_path: Path, database_url: str) -> None:
    storage = {"LOCKGATE_STORAGE__URL": database_url}
    with running_server(tmp_path, environment=storage) as server:
        # An account belongs to issuer and subject, and the port is a part of the issuer.
        same_issuer = {"LOCKGATE_DEV__PORT": server.issuer.split("/")[2].rpartition(":")[2]}
        first = sign_in(server, "alice")

    with running_server(tmp_path, environment=storage | same_issuer) as server:
        second = sign_in(server, "alice")
        account = ask(server, "/v2/account", f"Bearer {first['token']}")

    assert first["created"] is True
    assert "created" not in second
    assert account["user"]["username"] == "alice"
