"""Accepts TCP connections, only so many in one turn of the event loop.

libuv would accept all that wait before anybody else has a turn: when a whole town reconnects, those who play
would wait for it.
"""

import asyncio
import socket
from collections.abc import Callable

import structlog

AT_ONCE = 16
"""Connections accepted before others have their turn: a few milliseconds' work."""
RETRY_S = 1.0
"""After a failure to accept, as for want of descriptors: nothing tells when there are some again."""

log = structlog.get_logger("lockgate.web")


class Acceptor:
    """`take` is given each connection, with the address of its peer. `listen`, then `close`."""

    def __init__(self, take: Callable[[socket.socket, object], None]) -> None:
        self._take = take
        self._listeners: list[socket.socket] = []
        self._retries: dict[socket.socket, asyncio.TimerHandle] = {}

    async def listen(self, host: str, port: int, backlog: int) -> tuple[str, int]:
        """Returns the bound address, the first if the host has several. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            listener = socket.create_server(address[:2], family=family, backlog=backlog)
            listener.setblocking(False)
            self._listeners.append(listener)
            loop.add_reader(listener, self._accept, listener)
        name: tuple[str, int] = self._listeners[0].getsockname()[:2]
        return name

    def close(self) -> None:
        """Stop listening; again does nothing. What was accepted goes on."""
        loop = asyncio.get_running_loop()
        for retry in self._retries.values():
            retry.cancel()
        while self._listeners:
            listener = self._listeners.pop()
            loop.remove_reader(listener)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                client, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return  # nobody waits, or they went away while they did
            except OSError as error:
                self._pause(listener, error)
                return
            client.setblocking(False)
            self._take(client, address)

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        log.error("accept_failed", reason=error.strerror)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        self._retries[listener] = loop.call_later(RETRY_S, loop.add_reader, listener, self._accept, listener)
