"""What we rest on in aiohttp, and what a hand-over leaves behind."""

import asyncio
import inspect

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from server.web.handover import Switched, detach


async def test_aiohttp_still_has_the_undocumented_names_that_the_hand_over_rests_on() -> None:
    # If this fails after an update of aiohttp: read its web_protocol.py again, then `detach`.
    assert isinstance(inspect.getattr_static(web.BaseRequest, "protocol"), property)
    assert isinstance(inspect.getattr_static(web.BaseRequest, "transport"), property)
    assert list(inspect.signature(RequestHandler.set_parser).parameters) == [
        "self",
        "parser",
        "data_received_cb",
    ]
    assert list(inspect.signature(RequestHandler.connection_lost).parameters) == ["self", "exc"]
    source = inspect.getsource(RequestHandler.set_parser)
    assert "feed_data(self._message_tail)" in source, "the bytes behind the request come another way now"
    assert "self.transport" in inspect.getsource(RequestHandler.force_close), (
        "connection_lost no longer closes `transport`: setting it to None may not be needed"
    )


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

    writer.write(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nbehind"
    )

    assert await reader.read() == b""
    assert seen == {"behind": b"behind", "closing": False}
    assert server.connections == []
    writer.close()
    await writer.wait_closed()
    listener.close()
    await server.shutdown()
