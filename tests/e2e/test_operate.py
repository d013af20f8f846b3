"""An operator's commands, as typed, on a server that runs: its players hear of it within a second."""

import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.support.running import running_server, without_settings
from tests.support.visitor import Visitor


def lockgate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=folder,
        env=without_settings(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "told", "code", "reason", "sign_in_again"),
    [
        ("revoke", "logins ended: 1\n", 4500, "session revoked", 200),
        ("ban", "banned; logins ended: 1\n", 1000, "server-side session disconnect", 403),
        ("delete-account", "account deleted; logins ended: 1\n", 1000, "server-side session disconnect", 200),
    ],
)
async def test_a_command_closes_the_sockets_of_a_server_that_runs(
    tmp_path: Path, command: str, told: str, code: int, reason: str, sign_in_again: int
) -> None:
    with running_server(tmp_path) as server:
        async with aiohttp.ClientSession() as http:
            visitor = Visitor(server.public, server.issuer, http)
            pair = await visitor.sign_in("alice")
            bearer = f"Bearer {pair['token']}"
            socket = await visitor.open(pair["token"])
            account = (await visitor.ask("GET", "/v2/account", bearer))[1]

            done = lockgate(tmp_path, command, "--user", account["user"]["id"])

            assert (done.returncode, done.stdout) == (0, told), done.stderr
            assert await socket.ending() == (code, reason)
            assert (await visitor.ask("GET", "/v2/account", bearer))[0] == 401
            body = {"token": pair["refresh_token"]}
            assert (await visitor.ask("POST", "/v2/account/session/refresh", visitor.server_key, body))[
                0
            ] == 401
            body = {"id": await visitor.identity_token("alice")}
            again = await visitor.ask("POST", "/v2/account/authenticate/custom", visitor.server_key, body)
            assert again[0] == sign_in_again


async def test_a_login_is_ended_by_the_id_of_its_socket(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        async with aiohttp.ClientSession() as http:
            visitor = Visitor(server.public, server.issuer, http)
            pair = await visitor.sign_in("alice")
            socket, beside = await visitor.open(pair["token"]), await visitor.connect("bob")
            server.wait_for_event("socket_opened", 2, limit_s=10)
            opened = next(event for event in server.events if event["event"] == "socket_opened")

            done = lockgate(tmp_path, "revoke", "--session", opened["session_id"])

            assert done.returncode == 0, done.stderr
            assert await socket.ending() == (4500, "session revoked")
            assert (await visitor.ask("GET", "/v2/account", f"Bearer {pair['token']}"))[0] == 401
            assert await beside.heard_until_pong("1") == []
            await beside.hang_up()


def test_a_player_nobody_knows_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    done = lockgate(tmp_path, "revoke", "--user", "nobody")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "lockgate: no such account\n")
