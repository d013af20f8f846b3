"""aiohttp from within: the one module that touches its undocumented names, which may change with any version.

Connections that tell their place among all (`connections.py`) how far they have got; error pages that do not
quote the peer, for bytes that are not HTTP; and the hand-over of a TCP connection to another protocol. What
this rests on is listed in the test beside it, which fails when an update of aiohttp takes it away.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from server.web.connections import Connection
from server.web.entrance import Entrance
from server.web.errors import Code, failed
from server.web.turns import Turns

PROVED_WITH = "3.14.5"
"""The version of aiohttp with which all of this was tried."""
TOO_LATE_BODY = b'{"code":4,"message":"Request Timeout"}'
TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(TOO_LATE_BODY), TOO_LATE_BODY)
)
"""The whole answer to a request that did not come in time (RFC 9110 section 15.5.9)."""

MAX_HELD = 16_384
"""Bytes of a first request that may wait for their turn; a peer that sends more at once need not."""

_PEER_FAULTS = (web.RequestPayloadError, HttpProcessingError, ConnectionError)


class HttpConnection(RequestHandler):
    """One connection that aiohttp serves. Without `admitted` nobody is told how far it has got."""

    __slots__ = ("_body", "_entrance", "_held", "_place", "_wire")

    def __init__(self, entrance: Entrance | None, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._entrance = entrance
        self._place: Connection | None = None
        self._wire: asyncio.Transport | None = None
        self._body: StreamReader | None = None
        self._held = b""
        """What the peer said before it had its turn: the beginning of its first request."""

    # ---- how far it has got

    def admitted(self, place: Connection) -> None:
        """It has this place, and leaves it by itself."""
        self._place = place

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)
        if self._place is not None:
            self._place.peer = self
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if data and self._entrance is not None and self._place is not None:
            self._entrance.connections.heard(self._place, self._entrance.now)
            if self._is_held(data, self._entrance.turns):
                return
        held, self._held = self._held, b""
        super().data_received(held + data)

    def _is_held(self, data: bytes, turns: Turns) -> bool:
        """Whether the beginning of the first request waits until others have had their turn."""
        if self._wire is None or self._body is not None or len(self._held) + len(data) > MAX_HELD:
            return False
        if self._held:
            self._held += data  # the transport may hand out what it had read
            return True
        if turns.take():
            return False
        self._held = data
        self._wire.pause_reading()
        turns.wait(self._have_turn)
        return True

    def _have_turn(self) -> None:
        if self._wire is None or self._wire.is_closing():
            return
        self._wire.resume_reading()
        held, self._held = self._held, b""
        if held:
            super().data_received(held)

    def begun(self, body: StreamReader) -> None:
        """A request is there and will be handled next."""
        self._body = body
        if self._entrance is not None and self._place is not None:
            self._entrance.connections.begun(self._place, self._entrance.now)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if self._entrance is None or self._place is None:
            return await super().finish_response(request, resp, start_time)
        self._entrance.connections.answering(self._place)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self._place is not None:  # it may be gone by now
                self._entrance.connections.answered(self._place, self._entrance.now)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._body is not None and not self._body.is_eof():
            # aiohttp would go on waiting for what it wants to throw away.
            self._body.set_exception(ConnectionResetError("Connection lost"))
        place, self._place = self._place, None
        self._wire = self._body = None
        if self._entrance is not None and place is not None:
            self._entrance.connections.leave(place)

    # ---- as a peer

    def has_body(self) -> bool:
        return self._body is None or self._body.is_eof()

    def unsent(self) -> int:
        return 0 if self._wire is None else self._wire.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._wire is None or self._wire.is_closing()

    def end(self, *, too_late: bool) -> None:
        if too_late and self._wire is not None and not self._wire.is_closing():
            self._wire.write(TOO_LATE)
        self.force_close()

    def abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    # ---- errors

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A body that breaks off or does not decode, met when it is drained, is no error of ours."""
        if isinstance(kw.get("exc_info"), _PEER_FAULTS):
            self.logger.debug("request body not read")
        else:
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer and log without the parser's words."""
        malformed = 400 <= status < 500
        if malformed:
            self.logger.debug("malformed request")
        else:
            self.logger.error("request not answered", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun")
        code = Code.INVALID_ARGUMENT if malformed else Code.INTERNAL
        response = failed(code, "Bad Request" if malformed else "Internal Server Error")
        response.force_close()
        return response


class HttpServer(web.Server):
    """Makes `HttpConnection`s, as `made` would make aiohttp's."""

    def __init__(self, made: web.Server, entrance: Entrance | None) -> None:
        super().__init__(
            made.request_handler,
            request_factory=_telling(made.request_factory),
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
        self._entrance = entrance

    def __call__(self) -> HttpConnection:
        return HttpConnection(self._entrance, self, loop=self._loop, **self._kwargs)


def _telling(factory: Callable[..., web.BaseRequest]) -> Callable[..., web.BaseRequest]:
    """A factory of requests that tells the connection of each."""

    def make(message: Any, body: StreamReader, protocol: HttpConnection, *more: Any) -> web.BaseRequest:
        protocol.begun(body)
        return factory(message, body, protocol, *more)

    return make


class SiteRunner(web.AppRunner):
    """Serves an application made by `build_site` or `build_ops`."""

    __slots__ = ("_entrance",)

    def __init__(
        self,
        app: web.Application,
        *,
        shutdown_timeout: float = 2.0,
        keepalive_timeout: float = 75.0,
        entrance: Entrance | None = None,
    ) -> None:
        """Times in seconds; `keepalive_timeout` is how long an idle HTTP connection is kept."""
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=shutdown_timeout,
            keepalive_timeout=keepalive_timeout,
            auto_decompress=False,  # `coding.py` does, within limits
        )
        self._entrance = entrance

    async def _make_server(self) -> web.Server:
        return HttpServer(await super()._make_server(), self._entrance)


async def ask_for_body(request: web.Request) -> None:
    """Say 100 to a peer that waits for it."""
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # the answer itself has not begun


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


def detach(request: web.BaseRequest) -> tuple[asyncio.Transport, bytes]:
    """Take the TCP connection from aiohttp: its transport, and the bytes that came behind the request.

    The caller must return `Switched()`, and give the transport a protocol before anything awaits.
    """
    handler: Any = request.protocol
    transport = cast(asyncio.Transport, request.transport)  # set while a handler runs
    tail = _Tail()
    handler.set_parser(tail)  # drains what was kept behind the request into our tail
    handler.transport = None  # else connection_lost would close the transport
    handler.connection_lost(None)  # timers, registry, parser: aiohttp forgets the connection
    return transport, tail.data
