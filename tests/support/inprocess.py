"""The whole server in the test's own process, on ports of the system's choice, and players signed in to it.

For tests that must see into the process (its clock, its objects, its tasks). `running.py` starts one from
outside, as an operator would.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from server.app import Server
from server.clock import Clock
from server.config import (
    DevSettings,
    ListenSettings,
    SessionSettings,
    Settings,
    SocketSettings,
    StorageSettings,
)
from tests.support.rawsocket import RawSocket

SERVER_KEY = {"Authorization": aiohttp.encode_basic_auth("defaultkey", "")}


@dataclass
class Live:
    """A started server and an HTTP client for it."""

    server: Server
    http: aiohttp.ClientSession

    @property
    def host(self) -> str:
        return self.server.public.rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.server.public.rpartition(":")[2])

    async def identity_token(self, user: str) -> str:
        """An identity JWT of the development issuer; the user is made if missing."""
        assert self.server.issuer is not None
        origin = "/".join(self.server.issuer.split("/")[:3])
        async with self.http.post(f"{origin}/_dev/token", json={"user": user}) as answer:
            return str((await answer.json())["token"])

    async def sign_in(self, user: str) -> dict[str, Any]:
        """A new login: `token` and `refresh_token`."""
        async with self.http.post(
            f"http://{self.server.public}/v2/account/authenticate/custom",
            json={"id": await self.identity_token(user)},
            headers=SERVER_KEY,
        ) as answer:
            assert answer.status == 200, await answer.text()
            pair: dict[str, Any] = await answer.json()
            return pair

    async def connect(self, user: str, *, status: bool = False) -> RawSocket:
        """Sign a player in and open a socket."""
        token = (await self.sign_in(user))["token"]
        return await self.open(token, status=status)

    async def dial(self) -> RawSocket:
        """A TCP connection on which nothing was said yet."""
        return await RawSocket.dial(self.host, self.port)

    async def open(self, token: str, *, status: bool = False) -> RawSocket:
        socket = await self.dial()
        answer = await socket.upgrade(f"/ws?token={token}&status={'true' if status else 'false'}")
        assert answer.status == 101, answer
        return socket


async def until(met: Callable[[], bool]) -> None:
    """Let the loop turn until something is so. Fails when it never is."""
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110  # what is awaited is inside the server, which tells nobody
            await asyncio.sleep(0)


def settings_in(folder: Path, **sections: Any) -> Settings:
    """Settings for a server whose data is in `folder` and whose ports the system chooses."""
    own: dict[str, Any] = {
        "data_dir": str(folder),
        "listen": ListenSettings(public="127.0.0.1:0", ops="127.0.0.1:0"),
        "dev": DevSettings(port=0),
        "storage": StorageSettings(url=f"sqlite:///{folder / 'lockgate.db'}"),
    }
    return Settings(**(own | sections))


@asynccontextmanager
async def running(
    folder: Path,
    *,
    socket: dict[str, Any] | None = None,
    session: dict[str, Any] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Live]:
    """Start a server with these settings changed; stop it at the end."""
    settings = settings_in(
        folder, socket=SocketSettings(**(socket or {})), session=SessionSettings(**(session or {}))
    )
    server = Server(settings, dev=True, clock=clock)
    try:
        await server.start()
        # Without kept-alive connections, no HTTP connection is left on the server's side after an answer.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            yield Live(server, http)
    finally:
        await server.stop()
