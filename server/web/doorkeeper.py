"""The first protocol of every TCP connection: lets it in, or turns it away before anything is read.

Knows nothing of HTTP but the one answer that turns away. What it lets in is made only then.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol, cast

from server.tasks import TaskOwner
from server.web.acceptor import Acceptor
from server.web.connections import Connection, Peer
from server.web.entrance import Entrance

REFUSED_BODY = b'{"code":14,"message":"Too many connections"}'
MAX_UNREAD = 16_384
"""Bytes of a refused request that are thrown away, so that the peer reads the answer and not a reset."""


class Admitted(Peer, Protocol):
    """The protocol that goes on with a connection that was let in."""

    def admitted(self, place: Connection) -> None:
        """It has this place, of which it is the peer once `connection_made` was called."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...


class Doorkeeper(asyncio.Protocol):
    """Stands in front of what `make` makes."""

    def __init__(self, entrance: Entrance, make: Callable[[], Admitted]) -> None:
        self._entrance = entrance
        self._make = make
        self._transport: asyncio.Transport | None = None
        self._unread = MAX_UNREAD

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the same methods
        place = self._entrance.arrive(self, transport)
        if isinstance(place, int):
            self._turn_away(self._transport, place)
        else:
            self._go_on(self._transport, place)

    def data_received(self, data: bytes) -> None:
        self._unread -= len(data)
        if self._unread < 0:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._entrance.connections.gone(self)

    def _go_on(self, transport: asyncio.Transport, place: Connection) -> None:
        protocol = self._make()
        protocol.admitted(place)
        transport.set_protocol(cast(asyncio.BaseProtocol, protocol))
        protocol.connection_made(transport)

    def _turn_away(self, transport: asyncio.Transport, retry_after_s: int) -> None:
        transport.write(refusal(retry_after_s))
        transport.write_eof()
        self._entrance.connections.linger(self, self._entrance.now)

    # ---- as a peer

    def has_body(self) -> bool:
        return False

    def unsent(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def end(self, *, too_late: bool) -> None:
        self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class PlainDoor:
    """Where connections without TLS come in. `listen`, then `close`."""

    def __init__(self, entrance: Entrance, make: Callable[[], Admitted], tasks: TaskOwner) -> None:
        self._entrance = entrance
        self._make = make
        self._tasks = tasks
        self._acceptor = Acceptor(self._take)

    async def listen(self, host: str, port: int, backlog: int) -> tuple[str, int]:
        """Returns the bound address. Raises OSError."""
        return await self._acceptor.listen(host, port, backlog)

    async def close(self) -> None:
        self._acceptor.close()
        await self._tasks.idle()

    def _take(self, client: socket.socket, _address: object) -> None:
        _ = self._tasks.spawn("connection", self._let_in(client))

    async def _let_in(self, client: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Doorkeeper(self._entrance, self._make), client
            )
        except OSError:
            client.close()  # the peer has gone already


def refusal(retry_after_s: int) -> bytes:
    """The whole answer to a connection for which there is no place (RFC 9110 section 15.6.4)."""
    return (
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (retry_after_s, len(REFUSED_BODY), REFUSED_BODY)
    )
