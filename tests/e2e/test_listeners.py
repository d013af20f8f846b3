"""A separate listener for sockets: `/ws` is there and nowhere else."""

import urllib.error
import urllib.request
from pathlib import Path

from tests.support.running import running_server


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_sockets_are_served_on_their_own_address_alone(tmp_path: Path) -> None:
    own = {"LOCKGATE_LISTEN__WEBSOCKET": "127.0.0.1:0"}

    with running_server(tmp_path, environment=own) as server:
        ready = next(event for event in server.events if event["event"] == "server_ready")
        public, sockets = ready["public"], ready["websocket"]

        assert public != sockets
        assert status(f"http://{public}/") == 200
        assert status(f"http://{public}/ws") == 403
        assert status(f"http://{sockets}/ws") == 401
        assert status(f"http://{sockets}/") == 403
        assert status(f"http://{sockets}/v2/account") == 403
