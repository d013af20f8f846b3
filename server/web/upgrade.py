"""The seam between aiohttp and our sockets: a token becomes a session, the TCP connection changes hands.

All use of aiohttp's undocumented names is in this module (`detach`): `request.protocol`, setting
`RequestHandler.transport`, `RequestHandler.set_parser` and calling `connection_lost` ourselves. aiohttp is
pinned to one minor version for it.
"""

import asyncio
from typing import Any, cast

from aiohttp import web

from protocol.envelope import Format
from protocol.messages import UserPresence
from server.identity.tokens import SessionClaims
from server.ids import Ids
from server.sessions.registry import Registry
from server.transport.compression import Agreed
from server.transport.handshake import VERSION, accept
from server.web.address import ClientAddresses
from server.web.parameters import TRUE
from server.web.socket_callers import SocketCallers
from server.web.sockets import Sockets

FORMATS = {"": Format.JSON, "json": Format.JSON, "protobuf": Format.PROTOBUF}
"""Values of the `format` parameter."""
DEFAULT_LANG = "en"
MAX_LANG = 18


class Upgrade:
    """The handler of `GET /ws`."""

    def __init__(
        self,
        callers: SocketCallers,
        registry: Registry,
        sockets: Sockets,
        ids: Ids,
        addresses: ClientAddresses,
    ) -> None:
        self._callers = callers
        self._registry = registry
        self._sockets = sockets
        self._ids = ids
        self._addresses = addresses
        self.accepting = True
        """False while the server drains: new sockets are sent away with 503."""
        self.refused = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        # First of all, because it uses a ticket up, whatever comes of the attempt.
        caller = self._callers.of(request)
        if not self.accepting:
            return self._refuse(503, "Server is shutting down", {"Retry-After": "5"})
        form = FORMATS.get(request.query.get("format", ""))
        if form is None:
            return self._refuse(400, "Invalid format parameter")
        if caller is None:
            return self._refuse(401, "Missing or invalid token")
        try:
            agreed = self._sockets.agree(", ".join(request.headers.getall("Sec-WebSocket-Extensions", ())))
        except ValueError:
            return self._refuse(400, "Bad Request")
        answer = accept(request.headers, caller.subprotocol, agreed.header if agreed else "")
        if answer is None or request.transport is None:
            return self._refuse(400, "Bad Request", {"Sec-Websocket-Version": VERSION})
        self._hand_over(request, caller.claims, form, answer, agreed)
        return Switched()

    def _hand_over(
        self,
        request: web.Request,
        claims: SessionClaims,
        form: Format,
        answer: bytes,
        agreed: Agreed | None,
    ) -> None:
        # From detaching to the open session nothing may await, so that no byte and no close is missed.
        me = UserPresence(user_id=claims.user_id, session_id=self._ids.session_id(), username=claims.username)
        address = self._addresses.of(request)
        session, socket = self._sockets.make(
            self._registry,
            me,
            claims,
            form,
            address=address,
            lang=request.query.get("lang", "")[:MAX_LANG] or DEFAULT_LANG,
            agreed=agreed,
        )
        transport, behind = detach(request)
        transport.set_protocol(socket)
        transport.write(answer)
        socket.connection_made(transport)
        self._sockets.keepalive.add(socket, self._ids.jitter())
        self._registry.open(session, appear=request.query.get("status", "") in TRUE, address=address)
        if behind:
            socket.data_received(behind)

    def _refuse(self, status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
        self.refused += 1
        return web.Response(
            status=status,
            text=f"{text}\n",
            headers={"X-Content-Type-Options": "nosniff", **(headers or {})},
            content_type="text/plain",
            charset="utf-8",
        )


class Switched(web.StreamResponse):
    """What the handler returns when the connection is no longer aiohttp's: writes nothing."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class _Tail:
    """Stands in for aiohttp's parser and receives what was read behind the request."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += bytes(data)
        return False, b""

    def feed_eof(self) -> None:
        return None


def detach(request: web.Request) -> tuple[asyncio.Transport, bytes]:
    """Take the TCP connection from aiohttp: its transport, and the bytes that came behind the request."""
    handler: Any = request.protocol
    transport = cast(asyncio.Transport, request.transport)  # set while a handler runs
    tail = _Tail()
    handler.set_parser(tail)  # drains what was kept behind the request into our tail
    handler.transport = None  # else connection_lost would close the transport
    handler.connection_lost(None)  # timers, registry, parser: aiohttp forgets the connection
    return transport, tail.data
