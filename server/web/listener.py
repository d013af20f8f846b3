"""Where HTTP is listened for: the public addresses through a doorkeeper, those of operators directly."""

import asyncio
from collections.abc import Callable
from typing import cast

from aiohttp import web

from server.sections import parse_address
from server.web.doorkeeper import Admitted, Doorkeeper
from server.web.entrance import Entrance
from server.web.handover import SiteRunner

BACKLOG = 4096
"""Connections that may wait to be accepted: a match that ends sends all its players back at once."""


class Listeners:
    """The addresses that a server listens at."""

    def __init__(self) -> None:
        self._runners: list[SiteRunner] = []
        self._servers: list[asyncio.Server] = []
        self._entrance: Entrance | None = None

    async def open(self, application: web.Application, address: str) -> str:
        """Serve operators at `host:port`, port 0: a free one. Returns the bound address. Raises OSError."""
        runner = SiteRunner(application)
        await runner.setup()
        self._runners.append(runner)
        where = parse_address(address)
        await web.TCPSite(runner, where.host, where.port, backlog=BACKLOG).start()
        return _told(runner.addresses[0])

    async def open_public(self, application: web.Application, address: str, entrance: Entrance) -> str:
        """Likewise, but for everybody: connections come in by `entrance`, which all listeners share."""
        runner = SiteRunner(application, entrance=entrance)
        await runner.setup()
        self._runners.append(runner)
        if self._entrance is None:
            self._entrance = entrance
            entrance.start()
        where = parse_address(address)
        make = cast(Callable[[], Admitted], runner.server)  # what `SiteRunner` makes, once it is set up
        server = await asyncio.get_running_loop().create_server(
            lambda: Doorkeeper(entrance, make), where.host, where.port, backlog=BACKLOG
        )
        self._servers.append(server)
        return _told(server.sockets[0].getsockname())

    async def close(self) -> None:
        """Stop listening, the last address first."""
        for server in reversed(self._servers):
            server.close()
        for runner in reversed(self._runners):
            await runner.cleanup()
        if self._entrance is not None:
            self._entrance.stop()


def _told(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return str(parse_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
