"""A thousand refreshes of one token at once, against real servers: one successor, and no alarm."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.support.running import RunningServer, running_server
from tests.support.site import AUTHENTICATE, SERVER_KEY, bearer
from tests.support.twin import REFRESH

AT_ONCE = 1000


async def bodies(http: aiohttp.ClientSession, servers: Sequence[RunningServer], token: str) -> set[bytes]:
    """The different answers to that many refreshes with one token, all of which must be good."""

    async def refresh(server: RunningServer) -> bytes:
        url = f"http://{server.public}{REFRESH}"
        async with http.post(url, json={"token": token}, headers=SERVER_KEY) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.read()

    return set(await asyncio.gather(*(refresh(servers[n % len(servers)]) for n in range(AT_ONCE))))


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_thousand_refreshes_of_one_token_give_one_successor(
    tmp_path: Path, database_url: str, processes: int
) -> None:
    environment = {"LOCKGATE_STORAGE__URL": database_url}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running_server(tmp_path, environment=environment)) for _ in range(processes)
        ]
        first = servers[0]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            body = {"id": first.identity_token("alice")}
            url = f"http://{first.public}{AUTHENTICATE}"
            async with http.post(url, json=body, headers=SERVER_KEY) as answer:
                login = await answer.json()

            (successor,) = await bodies(http, servers, login["refresh_token"])
            pair = json.loads(successor)
            (repeated,) = await bodies(http, servers, login["refresh_token"])
            (next_one,) = await bodies(http, servers, pair["refresh_token"])

            assert repeated == successor != next_one
            for server in servers:
                for token in (login["token"], pair["token"]):
                    async with http.get(f"http://{server.public}/v2/account", headers=bearer(token)) as me:
                        assert me.status == 200

    events = [event["event"] for server in servers for event in server.events]
    assert events.count("session_refreshed") == 2
    assert events.count("refresh_repeated") >= 1
    assert [event for event in events if event in ("refresh_reused", "logins_ended")] == []
    assert [event for server in servers for event in server.events if event["level"] == "error"] == []
