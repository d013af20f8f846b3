"""Faults in what becomes of sockets: takeovers that leave the older one, refusals, and servers that are late.

Being late is no fault: messages come whole and in order, only not in time.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import web
from websockets.protocol import State

from protocol.close import CloseReason
from protocol.messages import UserPresence
from server.app import Server
from server.sessions.backlog import Content
from server.sessions.outbox import Outbox
from server.sessions.registry import Registry
from server.sessions.session import Session
from server.transport.websocket import WebSocket
from server.web.upgrade import Upgrade
from tests.support.faults import Fault, Planting
from tests.support.freezes import Freezer
from tests.support.planted_deliveries import Said

LATE_S: Final = 0.2
RETRY_AFTER: Final = {"Retry-After": "1"}


def two_sockets(fault: Fault, planting: Planting, *, silent: bool) -> None:
    """Keep the older socket open when a newer one takes over; an occasion is a takeover.

    It keeps getting messages and keeps its place in matches, or else (`silent`) the session ends for all
    others as it should, and only nobody tells its client. Without `socket.resume_s`.
    """
    take_over = Registry._take_over

    def taking_over(registry: Registry, older: Session, newer: UserPresence) -> None:
        if not fault.strikes():
            take_over(registry, older, newer)
        elif silent:
            older._ended(CloseReason.DISCONNECTED.code, CloseReason.DISCONNECTED.text)

    planting.wrap(Registry, "_take_over", taking_over)


def refuse(fault: Fault, planting: Planting) -> None:
    """Send who wants a socket away with 503, to come again in a second; an occasion is an upgrade."""
    call = Upgrade.__call__

    async def calling(upgrade: Upgrade, request: web.Request) -> web.StreamResponse:
        if fault.strikes():
            return upgrade._refuse(503, "Too many connections", RETRY_AFTER)
        return await call(upgrade, request)

    planting.wrap(Upgrade, "__call__", calling)


def late(fault: Fault, planting: Planting) -> None:
    """Hold all that one receiver is sent back for 200 ms; nothing is lost or overtaken.

    An occasion is one delivery of what was said to one receiver. Who waits already waits no longer for it.
    """
    put, flush = Outbox.put, WebSocket.flush
    waiting: set[WebSocket] = set()

    def let_go(socket: WebSocket) -> None:
        waiting.discard(socket)
        flush(socket)

    def flushing(socket: WebSocket) -> None:
        # Who goes away is not kept waiting: what is behind its close would be lost.
        if socket not in waiting or _is_closing(socket):
            flush(socket)

    def putting(outbox: Outbox, whole: bytes, content: Content = None, latest_key: str = "") -> None:
        put(outbox, whole, content, latest_key)
        socket = outbox._writer
        chosen = isinstance(content, Said) and fault.chooses()
        if chosen and isinstance(socket, WebSocket) and socket not in waiting:
            waiting.add(socket)
            fault.note_strike()
            asyncio.get_running_loop().call_later(LATE_S, let_go, socket)

    planting.wrap(WebSocket, "flush", flushing)
    planting.wrap(Outbox, "put", putting)


def _is_closing(socket: WebSocket) -> bool:
    return socket._library is not None and socket._library.state is not State.OPEN


def freeze(period_s: float, for_s: float, fault: Fault, planting: Planting) -> None:
    """Let the whole loop stand still for `for_s` seconds every `period_s` from the start on."""
    freezer = Freezer(period_s, for_s, fault.note_freeze)
    start, stop = Server.start, Server.stop

    async def started(server: Server) -> None:
        await start(server)
        freezer.begin()

    async def stopped(server: Server) -> None:
        freezer.stop()
        await stop(server)

    planting.wrap(Server, "start", started)
    planting.wrap(Server, "stop", stopped)


PLANTED: Final[dict[str, Callable[[Fault, Planting], None]]] = {
    "two_sockets": partial(two_sockets, silent=False),
    "two_sockets_silent": partial(two_sockets, silent=True),
    "refuse": refuse,
    "late": late,
}
