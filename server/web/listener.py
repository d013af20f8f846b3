"""Where HTTP is listened for: the public addresses through a doorkeeper, those of operators directly."""

from collections.abc import Callable
from typing import cast

from aiohttp import web

from server.clock import Clock
from server.config import AdmissionSettings
from server.sections import ListenSettings, parse_address
from server.tasks import TaskOwner
from server.web.address import ClientAddresses
from server.web.certificate import Certificate
from server.web.doorkeeper import Admitted, PlainDoor
from server.web.entrance import Entrance
from server.web.handover import SiteRunner
from server.web.tls_door import TlsDoor

BACKLOG = 4096
"""Connections that may wait to be accepted: a match that ends sends all its players back at once."""


class Listeners:
    """The addresses that a server listens at; all public ones share one entrance and one certificate."""

    def __init__(self, settings: ListenSettings, admission: AdmissionSettings, clock: Clock) -> None:
        self._settings = settings
        self.entrance = Entrance(admission, ClientAddresses(settings.trusted_proxies), clock)
        self.certificate: Certificate | None = None
        self._runners: list[SiteRunner] = []
        self._doors: list[PlainDoor | TlsDoor] = []

    @property
    def secure(self) -> str:
        """What the schemes `http` and `ws` of the public addresses are followed by."""
        return "s" if self._settings.tls_cert else ""

    def start(self) -> None:
        """Before the first address is opened. Raises `CertificateError`."""
        if self._settings.tls_cert:
            self.certificate = Certificate.open(
                self._settings.tls_cert, self._settings.tls_key, TaskOwner("certificate")
            )
            self.certificate.start()
        self.entrance.start()

    async def open(self, application: web.Application, address: str) -> str:
        """Serve operators at `host:port`, port 0: a free one. Returns the bound address. Raises OSError."""
        runner = SiteRunner(application)
        await runner.setup()
        self._runners.append(runner)
        where = parse_address(address)
        await web.TCPSite(runner, where.host, where.port, backlog=BACKLOG).start()
        return _told(runner.addresses[0])

    async def open_public(self, application: web.Application, address: str) -> str:
        """Likewise, but for everybody, who are admitted first; with TLS if there is a certificate."""
        runner = SiteRunner(application, entrance=self.entrance)
        await runner.setup()
        self._runners.append(runner)
        where = parse_address(address)
        make = cast(Callable[[], Admitted], runner.server)  # what `SiteRunner` makes, once it is set up
        door: PlainDoor | TlsDoor
        if self.certificate is None:
            door = PlainDoor(self.entrance, make, TaskOwner("door"))
        else:
            door = TlsDoor(self.entrance, make, self.certificate, TaskOwner("tls"))
        self._doors.append(door)
        return _told(await door.listen(where.host, where.port, BACKLOG))

    async def close(self) -> None:
        """Stop listening, the last address first."""
        for door in reversed(self._doors):
            await door.close()
        for runner in reversed(self._runners):
            await runner.cleanup()
        self.entrance.stop()
        if self.certificate is not None:
            await self.certificate.close()


def _told(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return str(parse_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
