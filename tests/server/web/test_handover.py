"""What we rest on in aiohttp, and what a hand-over leaves behind."""

import ast
import asyncio
import contextlib
import importlib.metadata
import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import web
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import EmptyStreamReader, StreamReader
from aiohttp.typedefs import Handler
from aiohttp.web_protocol import RequestHandler

from server.web import handover
from server.web.handover import PROVED_WITH, HttpServer, Switched, detach
from tests.support.inprocess import until
from tests.support.living import living

WEB = Path(handover.__file__).parent
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

# ---- the contract: if one of these fails after an update, read aiohttp's web_protocol.py first of all


def test_aiohttp_is_of_the_version_that_all_this_was_tried_with() -> None:
    installed = importlib.metadata.version("aiohttp")

    assert installed.rpartition(".")[0] == PROVED_WITH.rpartition(".")[0], (
        "read the changes of aiohttp/web_protocol.py, run tests/e2e/test_handover.py, then say so here"
    )


SIGNATURES = {
    # Overridden: aiohttp calls them like this.
    RequestHandler.connection_made: ["self", "transport"],
    RequestHandler.connection_lost: ["self", "exc"],
    RequestHandler.data_received: ["self", "data"],
    RequestHandler.finish_response: ["self", "request", "resp", "start_time"],
    RequestHandler.handle_error: ["self", "request", "status", "exc", "message"],
    RequestHandler.log_exception: ["self", "args", "kw"],
    web.AppRunner._make_server: ["self"],
    web.Server.__call__: ["self"],
    web.StreamResponse.prepare: ["self", "request"],
    web.StreamResponse.write_eof: ["self", "data"],
    # Called.
    RequestHandler.set_parser: ["self", "parser", "data_received_cb"],
    RequestHandler.force_close: ["self"],
    StreamReader.is_eof: ["self"],
    StreamReader.set_exception: ["self", "exc", "exc_cause"],
    EmptyStreamReader.is_eof: ["self"],
    StreamWriter.write: ["self", "chunk", "drain", "LIMIT"],
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_what_we_override_and_call_is_called_as_before(function: Any) -> None:
    assert list(inspect.signature(function).parameters) == SIGNATURES[function]


MADE_OF: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "RequestHandler.__init__": (RequestHandler.__init__, ["manager", "loop"]),
    "Server.__init__": (
        web.Server.__init__,
        ["handler", "request_factory", "handler_cancellation", "loop", "kwargs"],
    ),
    "Server._make_request": (
        web.Server._make_request,
        ["message", "payload", "protocol", "writer", "task"],
    ),
    "Application._make_request": (
        web.Application._make_request,
        ["message", "payload", "protocol", "writer", "task"],
    ),
}


@pytest.mark.parametrize("name", MADE_OF)
def test_connections_and_requests_are_made_of_the_same_parts(name: str) -> None:
    function, parts = MADE_OF[name]

    assert list(inspect.signature(function).parameters)[1 : len(parts) + 1] == parts


@pytest.mark.parametrize("name", ["protocol", "transport", "writer"])
def test_a_request_still_has_its_connection(name: str) -> None:
    assert isinstance(inspect.getattr_static(web.BaseRequest, name), property)


async def test_a_server_still_has_what_another_is_made_of() -> None:
    async def never(_request: web.BaseRequest) -> web.StreamResponse:
        raise AssertionError

    made = web.Server(never, keepalive_timeout=7.0)

    assert made._kwargs == {"keepalive_timeout": 7.0}
    assert made._loop is asyncio.get_running_loop()
    assert made.request_handler is never
    assert callable(made.request_factory)
    assert made.handler_cancellation is False
    connection = HttpServer(made, None)()
    assert connection.transport is None
    assert connection.logger is not None


SOURCES: dict[str, tuple[Callable[..., Any], str]] = {
    "the bytes behind the request come another way": (
        RequestHandler.set_parser,
        "feed_data(self._message_tail)",
    ),
    "connection_lost does not close `transport`: it need not be None": (
        RequestHandler.connection_lost,
        "self.force_close()",
    ),
    "force_close closes another transport": (RequestHandler.force_close, "self.transport.close()"),
    "a connection that was lost is not out of its own way": (
        RequestHandler.connection_lost,
        "if self._manager is None",
    ),
    "requests are not made by the factory": (RequestHandler.start, "self._request_factory("),
    "an answer does not pass finish_response": (RequestHandler._handle_request, "self.finish_response("),
    "what waits for an unread body does not look at its exception": (
        RequestHandler.start,
        "await payload.readany()",
    ),
}


@pytest.mark.parametrize("changed", SOURCES)
def test_aiohttp_still_does_what_cannot_be_seen_from_outside(changed: str) -> None:
    function, code = SOURCES[changed]

    assert code in inspect.getsource(function), changed


INSIDE = {"aiohttp.web_protocol", "aiohttp.streams", "aiohttp.http_exceptions", "aiohttp.http_writer"}
UNDOCUMENTED = {"protocol", "writer", "task", "set_parser", "_kwargs", "_make_server", "_payload", "_cancel"}


@pytest.mark.parametrize(
    "path", [path for path in WEB.glob("*.py") if path.name != "handover.py"], ids=lambda path: path.name
)
def test_no_other_module_knows_aiohttp_from_within(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    asked = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "request"
    }

    assert modules & INSIDE == set()
    assert asked & UNDOCUMENTED == set()


# ---- the hand-over by itself


class Echo(asyncio.Protocol):
    """What a connection is handed over to."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        return HttpServer(await super()._make_server(), None)


REQUEST = b"GET /up HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def hand_over(*, cancellation: bool, access_log: logging.Logger | None) -> None:
    """One connection changes hands with bytes behind its request, and outlives HTTP's keepalive."""
    taken: list[Echo] = []

    @web.middleware
    async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        assert response.status == 101
        return response

    async def switch(request: web.Request) -> web.StreamResponse:
        transport, behind = detach(request)
        taken.append(Echo(transport))
        transport.set_protocol(taken[0])
        transport.write(b"now:" + behind)
        return Switched()

    app = web.Application(middlewares=[pass_on])
    app.router.add_get("/up", switch)
    runner = Runner(app, handler_cancellation=cancellation, access_log=access_log, keepalive_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    before, tasks = living(RequestHandler), len(asyncio.all_tasks())
    reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])

    writer.write(REQUEST + b"behind")
    assert await reader.readexactly(10) == b"now:behind"
    await until(lambda: len(asyncio.all_tasks()) <= tasks and living(RequestHandler) <= before)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.1):  # longer than the keepalive
            assert await reader.read(1) != b""
    writer.write(b"later")
    assert await reader.readexactly(5) == b"later"

    writer.close()
    await writer.wait_closed()
    await taken[0].lost
    await runner.cleanup()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
@pytest.mark.parametrize("cancellation", [False, True], ids=["", "cancellation"])
def test_a_connection_changes_hands_in_every_setting_of_aiohttp(
    loop: str, debug: bool, cancellation: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    access_log = logging.getLogger("test.access")
    with asyncio.Runner(debug=debug, loop_factory=LOOPS[loop]) as runner:
        runner.run(hand_over(cancellation=cancellation, access_log=access_log))

    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    lines = [record.getMessage() for record in caplog.records if record.name == "test.access"]
    assert len(lines) == 1
    assert '"GET /up HTTP/1.1" 101' in lines[0]


async def test_detaching_leaves_the_transport_open_and_aiohttp_without_the_connection() -> None:
    seen: dict[str, object] = {}

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        transport, behind = detach(request)
        seen.update(behind=behind, closing=transport.is_closing())
        transport.close()
        return Switched()

    server = web.Server(handler)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()[:2]
    reader, writer = await asyncio.open_connection(host, port)

    writer.write(REQUEST + b"behind")

    assert await reader.read() == b""
    assert seen == {"behind": b"behind", "closing": False}
    assert server.connections == []
    writer.close()
    await writer.wait_closed()
    listener.close()
    await server.shutdown()
