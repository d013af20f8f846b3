"""The whole server in the test's own process, on ports of the system's choice, and players signed in to it.

For tests that must see into the process (its clock, its objects, its tasks). `running.py` starts one from
outside, as an operator would.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from server.app import Server
from server.clock import Clock
from server.config import (
    AdmissionSettings,
    DevSettings,
    MatchmakerSettings,
    RuntimeSettings,
    Settings,
    StorageSettings,
)
from server.core.function import Function
from server.sections import IdentitySettings, ListenSettings, MatchesSettings, SessionSettings, SocketSettings
from server.world import LiveMatches
from tests.support.databases import sqlite_url
from tests.support.tls import Certificate
from tests.support.visitor import Visitor


@dataclass
class Live(Visitor):
    """A started server that a test can look into."""

    server: Server


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
        "storage": StorageSettings(url=SecretStr(sqlite_url(folder))),
    }
    return Settings(**(own | sections))


@asynccontextmanager
async def running(
    folder: Path,
    *,
    url: str | None = None,
    socket: dict[str, Any] | None = None,
    session: dict[str, Any] | None = None,
    identity: IdentitySettings | None = None,
    trusted_proxies: tuple[str, ...] = (),
    allowed_origins: tuple[str, ...] = ("*",),
    clock: Clock | None = None,
    functions: Mapping[str, Function] | None = None,
    live_matches: LiveMatches | None = None,
    modules: tuple[str, ...] = (),
    matches: dict[str, Any] | None = None,
    matchmaker: dict[str, Any] | None = None,
    admission: dict[str, Any] | None = None,
    certificate: Certificate | None = None,
) -> AsyncIterator[Live]:
    """Start a server with these settings changed, on the database at `url`; stop it at the end.

    With a certificate it speaks TLS, and so does whoever visits it.
    """
    tls = {} if certificate is None else dict.fromkeys(("tls_cert", "tls_key"), str(certificate.pem))
    settings = settings_in(
        folder,
        socket=SocketSettings(**(socket or {})),
        session=SessionSettings(**(session or {})),
        identity=identity or IdentitySettings(),
        runtime=RuntimeSettings(modules=modules),
        matches=MatchesSettings(**(matches or {})),
        matchmaker=MatchmakerSettings(**(matchmaker or {})),
        admission=AdmissionSettings(**(admission or {})),
        **({} if url is None else {"storage": StorageSettings(url=SecretStr(url))}),
        listen=ListenSettings(
            public="127.0.0.1:0",
            ops="127.0.0.1:0",
            trusted_proxies=trusted_proxies,
            allowed_origins=allowed_origins,
            **tls,
        ),
    )
    server = Server(settings, dev=True, clock=clock, functions=functions, live_matches=live_matches)
    try:
        await server.start()
        # Without kept-alive connections, no HTTP connection is left on the server's side after an answer.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            assert server.issuer is not None
            trusting = None if certificate is None else certificate.trusting
            yield Live(server.public, server.issuer, http, server, tls=trusting)
    finally:
        await server.stop()
