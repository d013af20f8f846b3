"""A database that goes away under a running server: players are told to come back, and then may."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.postgres import PASSWORD, Postgres
from tests.support.rawsocket import RawSocket
from tests.support.running import RunningServer, running_server

AUTHORIZATION = {"Authorization": aiohttp.encode_basic_auth("defaultkey", "")}


async def post(
    http: aiohttp.ClientSession, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any], str]:
    async with http.post(path, json=body, headers=headers or AUTHORIZATION) as answer:
        return answer.status, await answer.json(), answer.headers.get("Retry-After", "")


async def sign_in(http: aiohttp.ClientSession, token: str) -> tuple[int, dict[str, Any], str]:
    return await post(http, "/v2/account/authenticate/custom", {"id": token})


async def metrics(server: RunningServer) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"http://{server.ops}/metrics") as answer:
        return await answer.text()


async def outage(server: RunningServer, postgres: Postgres) -> None:
    identity = await asyncio.to_thread(server.identity_token, "alice")
    async with aiohttp.ClientSession(f"http://{server.public}") as http:
        status, session, _ = await sign_in(http, identity)
        assert status == 200
        socket = await RawSocket.dial(server.host, server.port)
        assert (await socket.upgrade(f"/ws?token={session['token']}")).status == 101
        bearer = {"Authorization": f"Bearer {session['token']}"}

        await asyncio.to_thread(postgres.stop, signal.SIGQUIT)
        refused = {"code": 14, "message": "Storage unavailable"}
        for path, body, headers in (
            ("/v2/account/authenticate/custom", {"id": identity}, AUTHORIZATION),
            ("/v2/account/session/refresh", {"token": session["refresh_token"]}, AUTHORIZATION),
            ("/v2/session/logout", {}, bearer),
        ):
            status, answer, retry_after = await post(http, path, body, headers)
            assert (status, answer) == (503, refused), path
            assert int(retry_after) > 0
        socket.say(cid="1", status_follow={"usernames": ["bob"]})
        assert (await socket.hear())["error"]["message"] == "Storage unavailable"
        assert await socket.heard_until_pong("2") == []

        await asyncio.to_thread(postgres.start)
        assert (await sign_in(http, identity))[0] == 200
        status, _, _ = await post(
            http, "/v2/account/session/refresh", {"token": session["refresh_token"]}, AUTHORIZATION
        )
        assert status == 200
        socket.drop()
    assert 'lockgate_storage_failures_total{reason="unreachable"} 0.0' not in await metrics(server)


def test_a_database_that_goes_away_and_comes_back(tmp_path: Path, own_postgres: Postgres) -> None:
    url = {"LOCKGATE_STORAGE__URL": own_postgres.url("migrated")}
    with running_server(tmp_path, environment=url) as server:
        asyncio.run(outage(server, own_postgres))

    events = [event["event"] for event in server.events]
    assert "storage_failed" in events
    assert "storage_recovered" in events
    assert "request_failed" not in events
    assert PASSWORD not in server.output
