"""A server that is killed amid 500 refreshes, logouts and deletions, again and again, on one database.

What was answered must hold after the restart. What was not answered may have happened or not, but not by
half: the client's repeat gets in, and there is one successor.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.running import RunningServer, running_server
from tests.support.site import AUTHENTICATE, SERVER_KEY, bearer
from tests.support.twin import REFRESH

KILLS = {"sqlite": 20, "postgresql": 5}
LOGINS = 500
LOGINS_PER_PLAYER = 10
LOGOUTS = 15
DELETIONS = 2

Answer = tuple[int, dict[str, Any]]
Pair = dict[str, Any]


@dataclass(eq=False)
class Client:
    """A login of a player. Each attribute about answers is of the present round; None: there was none."""

    player: str
    pair: Pair
    refreshed: Answer | None = None
    leaves: bool = False
    left: Answer | None = None
    """Of the logout, or of the deletion of the account."""

    def answered(self) -> list[Pair]:
        return [self.pair, *([self.refreshed[1]] if self.refreshed and self.refreshed[0] == 200 else [])]


class Calls:
    """HTTP requests to a server that may be gone; `on_answer` is called for each answer."""

    def __init__(self, server: RunningServer, http: aiohttp.ClientSession) -> None:
        self._origin = f"http://{server.public}"
        self._http = http
        self.answers = 0
        self.kill_at = -1
        self._server = server

    async def ask(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Answer | None:
        """Status and body, or None if the server went away before it had answered."""
        url = self._origin + path
        try:
            async with self._http.request(method, url, json=body, headers=headers) as answer:
                got = answer.status, dict(await answer.json())
        except (aiohttp.ClientError, ConnectionError):
            return None
        self.answers += 1
        if self.answers == self.kill_at:
            self._server.kill()
        return got

    async def asked(self, method: str, path: str, headers: dict[str, str], body: Any = None) -> Answer:
        """The same, of a server that must be there."""
        answer = await self.ask(method, path, headers, body)
        assert answer is not None
        return answer

    async def refresh(self, pair: Pair) -> Answer:
        return await self.asked("POST", REFRESH, SERVER_KEY, {"token": pair["refresh_token"]})

    async def is_dead(self, pair: Pair) -> bool:
        """Whether neither token of a pair is good. Fails if only one of them is."""
        status, _ = await self.asked("GET", "/v2/account", bearer(pair["token"]))
        if status == 401:
            assert (await self.refresh(pair))[0] == 401
        return status == 401


async def sign_in(calls: Calls, server: RunningServer, name: str, count: int) -> list[Client]:
    """New players with `LOGINS_PER_PLAYER` logins each, `count` logins in all."""
    clients: list[Client] = []
    for number in range(-(-count // LOGINS_PER_PLAYER)):
        player = f"{name}-{number}"
        body = {"id": server.identity_token(player)}
        wanted = min(LOGINS_PER_PLAYER, count - len(clients))
        answers = await asyncio.gather(
            *(calls.asked("POST", AUTHENTICATE, SERVER_KEY, body) for _ in range(wanted))
        )
        assert {status for status, _ in answers} == {200}
        clients += [Client(player, pair) for _, pair in answers]
    return clients


async def burst(calls: Calls, clients: Sequence[Client], chance: random.Random) -> None:
    """Everybody refreshes at once; some log out or delete their account meanwhile; the server is killed."""

    async def refresh(client: Client) -> None:
        client.refreshed = await calls.ask(
            "POST", REFRESH, SERVER_KEY, {"token": client.pair["refresh_token"]}
        )

    async def leave(client: Client, method: str, path: str, body: Any, others: Sequence[Client]) -> None:
        left = await calls.ask(method, path, bearer(client.pair["token"]), body)
        for other in others:
            other.left = other.left or left

    work: list[Awaitable[None]] = [refresh(client) for client in clients]
    leavers = chance.sample(clients, LOGOUTS + DELETIONS)
    for client in leavers[:LOGOUTS]:
        client.leaves = True
        body = {"token": client.pair["token"]}
        work.append(leave(client, "POST", "/v2/session/logout", body, [client]))
    for client in leavers[LOGOUTS:]:
        with_it = [other for other in clients if other.player == client.player]
        for other in with_it:
            other.leaves = True
        work.append(leave(client, "DELETE", "/v2/account", None, with_it))
    chance.shuffle(work)
    calls.kill_at = chance.randrange(1, LOGINS)
    await asyncio.gather(*work)


async def check(calls: Calls, client: Client) -> bool:
    """After the restart: whether the login lives. Fails if it is forked, lost, or lives on after its end."""
    refused = client.refreshed is not None and client.refreshed[0] != 200
    if client.left is not None and client.left[0] == 200:
        for pair in client.answered():
            assert await calls.is_dead(pair), "an end that was acknowledged was forgotten"
        return False
    if client.leaves and (refused or await calls.is_dead(client.pair)):
        for pair in client.answered():
            assert await calls.is_dead(pair), "an end that was not acknowledged happened by half"
        return False
    assert not refused, client.refreshed
    # Whoever got no answer asks again, in two tabs; whoever got one repeats within the grace time.
    tabs = 1 if client.refreshed else 2
    (status, pair), *other = await asyncio.gather(*(calls.refresh(client.pair) for _ in range(tabs)))
    assert status == 200, "a login was lost"
    assert [*other, client.refreshed or (status, pair)] == [(status, pair)] * tabs, "a login was forked"
    client.pair, client.refreshed, client.leaves, client.left = pair, None, False, None
    return True


async def test_a_killed_server_has_forked_lost_and_forgotten_nothing(
    tmp_path: Path, database_url: str
) -> None:
    kills = KILLS[database_url.partition(":")[0]]
    environment = {"LOCKGATE_SESSION__REFRESH_GRACE_S": "60", "LOCKGATE_STORAGE__URL": database_url}
    chance = random.Random(4)
    clients: list[Client] = []
    ended: list[Client] = []
    unanswered = 0
    for kill in range(kills + 1):
        with running_server(tmp_path, environment=environment) as server:
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as http:
                calls = Calls(server, http)
                alive = await asyncio.gather(*(check(calls, client) for client in clients))
                ended += [client for client, lives in zip(clients, alive, strict=True) if not lives]
                clients = [client for client, lives in zip(clients, alive, strict=True) if lives]
                if kill < kills:
                    clients += await sign_in(calls, server, f"player-{kill}", LOGINS - len(clients))
                    calls.answers = 0
                    await burst(calls, clients, chance)
                    unanswered += sum(client.refreshed is None for client in clients)
                else:
                    refreshed = await asyncio.gather(*(calls.refresh(client.pair) for client in clients))
                    assert {status for status, _ in refreshed} == {200}
                    dead = await asyncio.gather(*(calls.is_dead(client.pair) for client in ended))
                    assert all(dead), "an end was forgotten after a while"

    # Killed too early or too late, it would show nothing.
    assert 0.1 < unanswered / (kills * LOGINS) < 0.9
    assert len(ended) > kills * LOGOUTS / 4
