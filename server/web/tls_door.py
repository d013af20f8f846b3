"""The doorkeeper of a listener with TLS: TCP connections get their place before their handshake begins.

It accepts by itself, because only then a connection can be turned away before TLS costs anything. Whoever
finds no place is told nothing: there is no way to say it before the handshake.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from server.tasks import TaskOwner
from server.web.acceptor import Acceptor
from server.web.certificate import Certificate
from server.web.connections import Connection
from server.web.doorkeeper import Admitted
from server.web.entrance import Entrance
from server.web.refusals import Reason

SHUTDOWN_S = 2.0
"""How long the peer's end of TLS is waited for when a connection is closed."""


class TlsDoor:
    """Stands in front of what `make` makes. `listen`, then `close`; the handshakes under way end with it."""

    def __init__(
        self,
        entrance: Entrance,
        make: Callable[[], Admitted],
        certificate: Certificate,
        tasks: TaskOwner,
    ) -> None:
        self._entrance = entrance
        self._make = make
        self._certificate = certificate
        self._tasks = tasks
        self._acceptor = Acceptor(self._take)

    async def listen(self, host: str, port: int, backlog: int) -> tuple[str, int]:
        """Returns the bound address. Raises OSError."""
        return await self._acceptor.listen(host, port, backlog)

    async def close(self) -> None:
        self._acceptor.close()
        await self._tasks.cancel_all()

    def _take(self, client: socket.socket, address: object) -> None:
        handshake = Handshake(address)
        place = self._entrance.arrive(handshake, handshake)
        if isinstance(place, int):
            client.close()
            return

        def over(_: asyncio.Task[None]) -> None:
            # Not in the task: one that is cancelled before it began would not come by.
            if place.peer is handshake:
                self._entrance.connections.leave(place)
            if not handshake.begun:
                client.close()  # else its transport did

        handshake.task = self._tasks.spawn("handshake", self._shake_hands(client, handshake, place))
        handshake.task.add_done_callback(over)

    async def _shake_hands(self, client: socket.socket, handshake: "Handshake", place: Connection) -> None:
        def admit() -> asyncio.BaseProtocol:
            protocol = self._make()
            protocol.admitted(place)
            return cast(asyncio.BaseProtocol, protocol)

        handshake.begun = True
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                admit,
                client,
                ssl=self._certificate.context,
                ssl_handshake_timeout=self._entrance.head_timeout_s,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except OSError:  # what TLS finds wrong, and its time-out, are such too
            self._entrance.refusals.count(Reason.TLS, place.site)


class Handshake(asyncio.BaseTransport):
    """A connection during its handshake: its address, and the way to end it."""

    def __init__(self, address: object) -> None:
        super().__init__()
        self._address = address
        self._is_over = False
        self.begun = False
        self.task: asyncio.Task[None] | None = None

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._address if name == "peername" else default

    def has_body(self) -> bool:
        return False

    def unsent(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._is_over

    def end(self, *, too_late: bool) -> None:
        self.abort()

    def abort(self) -> None:
        self._is_over = True
        if self.task is not None:
            self.task.cancel()
