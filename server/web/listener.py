"""Where HTTP is listened for: aiohttp's server with its own error pages replaced, which quote the peer.

Such a page is the answer to bytes that are not HTTP, before there is a request that a middleware could see.
"""

from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from server.sections import parse_address
from server.web.errors import Code, failed

BACKLOG = 4096
"""Connections that may wait to be accepted: a match that ends sends all its players back at once."""

_PEER_FAULTS = (web.RequestPayloadError, HttpProcessingError, ConnectionError)


class _Protocol(RequestHandler):
    __slots__ = ()

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


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class SiteRunner(web.AppRunner):
    """Serves an application made by `build_site` or `build_ops`."""

    __slots__ = ()

    def __init__(
        self, app: web.Application, *, shutdown_timeout: float = 2.0, keepalive_timeout: float = 75.0
    ) -> None:
        """Times in seconds; `keepalive_timeout` is how long an idle HTTP connection is kept."""
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=shutdown_timeout,
            keepalive_timeout=keepalive_timeout,
            auto_decompress=False,  # `coding.py` does, within limits
        )

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )


class Listeners:
    """The addresses that a server listens at."""

    def __init__(self) -> None:
        self._runners: list[SiteRunner] = []

    async def open(self, application: web.Application, address: str) -> str:
        """Serve at `host:port`; port 0 picks a free one. Returns the bound address. Raises OSError."""
        runner = SiteRunner(application)
        await runner.setup()
        self._runners.append(runner)
        where = parse_address(address)
        await web.TCPSite(runner, where.host, where.port, backlog=BACKLOG).start()
        host, port = runner.addresses[0][:2]
        return str(parse_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))

    async def close(self) -> None:
        """Stop listening, the last address first."""
        for runner in reversed(self._runners):
            await runner.cleanup()
