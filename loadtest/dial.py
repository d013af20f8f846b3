"""Opens players' sockets: TCP, TLS and the upgrade, each timed by itself."""

import asyncio
import socket
import ssl
import time
from random import Random
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from loadtest.failures import SwarmError
from loadtest.plan import Plan
from loadtest.shortages import Shortages
from loadtest.socket import Listener, Socket
from loadtest.timings import Timings
from protocol.envelope import Format

CONNECT_S: Final = 30.0
KNOCK_S: Final = 10.0
FORMATS: Final = {"json": Format.JSON, "protobuf": Format.PROTOBUF}
NARROW_SEGMENT: Final = 1400
"""Bytes, as on a path through the internet; over loopback the kernel would take megabytes for a peer."""
NARROW_BUFFER: Final = 4096

Address = tuple[int, Any]
"""Family and address, as the system told them."""


async def reach(url: str) -> Address:
    """The server's address, asked for once, so that DNS is no part of a latency: the first that answers.

    Raises SwarmError when the name is not known, or nobody is there: a run would tell nothing.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname or "", port, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise SwarmError(f"the server's name is not known: {error.strerror}") from None
    except UnicodeError:  # of a label that no name has, as an empty one
        raise SwarmError("the server's name is none that DNS knows") from None
    why = ""
    for family, _, _, _, address in found:
        try:
            await _knock(family, address)
        except (OSError, TimeoutError) as error:
            why = why or type(error).__name__
        else:
            return family, address
    raise SwarmError(f"no server answers at {parts.hostname}, port {port}: {why}")


async def _knock(family: int, address: Any) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as end:
        end.setblocking(False)
        async with asyncio.timeout(KNOCK_S):
            await asyncio.get_running_loop().sock_connect(end, address)


def _check_source(source: str, address: Address) -> None:
    try:
        with socket.socket(address[0], socket.SOCK_STREAM) as end:
            end.bind((source, 0))
    except OSError as error:
        raise SwarmError(f"nobody can connect from {source} here: {error.strerror}") from None


class Dialer:
    """Knows the way to the server."""

    def __init__(
        self, plan: Plan, address: Address, timings: Timings, random: Random, shortages: Shortages
    ) -> None:
        """Raises SwarmError when the plan names a source that this machine does not have."""
        url = urlsplit(plan.url)
        self._host, self._path = url.hostname or "", url.path
        self._netloc = url.netloc.rpartition("@")[2]
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._address = address
        self._sources = plan.sources
        for source in self._sources:
            _check_source(source, address)
        self.form = FORMATS[plan.format]
        self._timings = timings
        self._random = random
        self._shortages = shortages
        self._dialled = 0
        self.connected = 0
        """Sockets that are open now."""
        self._most_connected = 0

    async def dial(
        self,
        listener: Listener,
        token: str,
        due_ns: int,
        *,
        narrow: bool = False,
        kind: type[Socket] = Socket,
    ) -> Socket:
        """Open a socket with this session token.

        `due_ns` is when that was to begin. `narrow`: the kernels keep little for it. Raises Refused when the
        server answers with an error, SwarmError when it does not answer, or nothing is left to ask it with.
        """
        begun_ns = time.monotonic_ns()
        # `status`: appear online as players do; the answer's format is that of all messages.
        query = urlencode({"token": token, "format": self.form.name.lower(), "status": "true"})
        made = kind(listener, (self._netloc, f"{self._path}/ws?{query}"), self._random, form=self.form)
        try:
            end = self._socket(narrow)
        except OSError as error:
            made.abort()
            raise SwarmError(self._told(error)) from None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.sock_connect(end, self._address[1])
                connected_ns = time.monotonic_ns()
                await loop.create_connection(
                    lambda: made, sock=end, ssl=self._tls, server_hostname=self._host if self._tls else None
                )
                await made.opened
        except (OSError, TimeoutError) as error:
            made.abort()
            end.close()
            raise SwarmError(self._told(error)) from None
        except BaseException:  # cancelled half-way: what stands so far must not stay
            made.abort()
            end.close()
            raise
        self.connected += 1
        self._most_connected = max(self._most_connected, self.connected)
        made.closed.add_done_callback(self._count_out)
        self._timings["tcp"].record(due_ns, begun_ns, connected_ns)
        if self._tls is not None:
            self._timings["tls"].record(connected_ns, connected_ns, made.secured_ns)
        self._timings["upgrade"].record(made.secured_ns, made.secured_ns, made.opened_ns)
        return made

    def take_most_connected(self) -> int:
        """The most sockets that were open at one time since this was last asked for."""
        most, self._most_connected = self._most_connected, self.connected
        return most

    def _count_out(self, _closed: asyncio.Future[None]) -> None:
        self.connected -= 1

    def _told(self, error: OSError) -> str:
        missing = self._shortages.of(error)
        if missing:
            return f"the swarm's machine has no {missing} left for a socket"
        return f"the server lets no socket in: {type(error).__name__}"

    def _socket(self, narrow: bool) -> socket.socket:
        end = socket.socket(self._address[0], socket.SOCK_STREAM)
        end.setblocking(False)
        if narrow:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BUFFER)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT)
        if self._sources:
            # One address has some 28,000 ports; the kernel is to choose one when it knows the other end.
            end.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            end.bind((self._sources[self._dialled % len(self._sources)], 0))
        self._dialled += 1
        return end
