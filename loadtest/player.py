"""One player's socket: a client-side connection on a raw transport, without a task or timer of its own.

Cuts and builds frames, answers the server's pings, matches replies to requests, and hands everything else to
its listener. What is said, and when, is the scenario's business.
"""

import asyncio
import time
from collections.abc import Callable
from enum import Enum, auto
from random import Random
from typing import Final, Protocol, cast

from websockets.frames import (  # type: ignore[attr-defined]  # apply_mask: C where it was built
    apply_mask,
)

from loadtest import upgrade
from loadtest.failures import SwarmError
from protocol.conversation import Requests
from protocol.envelope import FIRST_BYTE, Envelope, Format, decode_server, encode
from protocol.errors import ErrorCode
from protocol.frames import FIN_CLOSE, FIN_PING, FIN_PONG, build_masked, extent
from protocol.message import Message
from protocol.messages import Error, Ping

MAX_FRAME_BYTES: Final = 1 << 20
MAX_UNSENT_BYTES: Final = 1 << 20
REPLY_TIMEOUT_S: Final = 10.0


class State(Enum):
    """A socket's life."""

    OPENING = auto()
    OPEN = auto()
    LEAVING = auto()
    CLOSED = auto()


class Listener(Protocol):
    """Who hears a player's socket."""

    def on_message(self, player: "Player", message: Message, at_ns: int) -> None:
        """The server said something of its own accord; `at_ns` is when its bytes arrived."""

    def on_dropped(self, player: "Player", reason: str) -> None:
        """The socket ended, and not because the player left."""


class Player(asyncio.Protocol):
    """The socket of player `number`. Await `opened` first; `leave` last."""

    def __init__(
        self,
        number: int,
        listener: Listener,
        handshake: tuple[str, str],
        random: Random,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        form: Format = Format.JSON,
    ) -> None:
        self.number = number
        self.user_id = ""
        self.match_id = ""
        self.state = State.OPENING
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listener = listener
        self._host, self._target = handshake
        self._random = random
        self._form = form
        self._clock_ns = clock_ns
        self._key = random.randbytes(16)
        self._requests = Requests[asyncio.Future[Message | None]]()
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    # What the player does.

    def send(self, message: Message, cid: str = "") -> None:
        """Say something; nothing is sent once the socket has ended."""
        if self.state is State.OPEN:
            self._write(FIRST_BYTE[self._form], encode(Envelope(message, cid), self._form))

    def ping(self) -> None:
        """The application's heartbeat, as SDKs send it. Its answer needs nobody to wait for it."""
        self.send(Ping(), "heartbeat")

    async def ask(self, message: Message) -> Message | None:
        """Send a request and wait for its reply. Raises SwarmError when refused or left without one."""
        if self.state is not State.OPEN:
            raise SwarmError("a socket ended before its player was ready")
        reply: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()
        cid = self._requests.open(reply)
        self.send(message, cid)
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                return await reply
        except TimeoutError:
            self._requests.close(cid)
            raise SwarmError(f"no reply to {type(message).__name__} in {REPLY_TIMEOUT_S:.0f} s") from None

    def leave(self) -> None:
        """Close the socket; `closed` is done when TCP has ended."""
        if self.state is State.OPEN:
            self._write(FIN_CLOSE, (1000).to_bytes(2))
            self.state = State.LEAVING

    def abort(self) -> None:
        """End TCP without further words."""
        if self.state is not State.CLOSED:
            self.state = State.LEAVING
        if self._transport is not None:
            self._transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # create_connection makes stream transports, though uvloop's do not say so by their class.
        self._transport = stream = cast(asyncio.Transport, transport)
        stream.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        stream.write(upgrade.request(self._host, self._target, self._key))

    def data_received(self, data: bytes) -> None:
        at_ns = self._clock_ns()
        if self._rest:
            data = self._rest + data
        try:
            start = self._read_head(data) if self.state is State.OPENING else 0
            self._rest = data[self._read_frames(data, start, at_ns) :] if start is not None else data
        except SwarmError as error:
            self._drop(str(error))
        except ValueError:
            self._drop("the server sent what is no message")

    def pause_writing(self) -> None:
        self._drop("the server reads too slowly")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.state is not State.LEAVING:
            self._drop("the connection broke")
        self.state = State.CLOSED
        if not self.closed.done():
            self.closed.set_result(None)

    # Frames.

    def _read_head(self, data: bytes) -> int | None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > upgrade.MAX_HEAD_BYTES:
                raise SwarmError("the server's answer has no end")
            return None
        upgrade.check(data[:end], self._key)
        self.state = State.OPEN
        if not self.opened.done():
            self.opened.set_result(None)
        return end + 4

    def _read_frames(self, data: bytes, at: int, at_ns: int) -> int:
        """Handle all whole frames from `at`; where the rest begins."""
        size = len(data)
        while True:
            start, end = extent(data, at)
            if end - start > MAX_FRAME_BYTES:
                raise SwarmError("the server sent a frame too large")
            if not end or end > size:
                return at
            first = data[at]
            if first == FIRST_BYTE[self._form]:
                self._hear(data[start:end], at_ns)
            elif first == FIN_PING:
                self._write(FIN_PONG, data[start:end])
            elif first == FIN_CLOSE:
                self._hear_close(data[start:end])
            elif first != FIN_PONG:
                raise SwarmError(f"the server sent a frame of unknown kind {first:#x}")
            at = end

    def _hear(self, payload: bytes, at_ns: int) -> None:
        envelope = decode_server(payload, self._form)
        message = envelope.message
        reply = self._requests.close(envelope.cid) if envelope.cid else None
        if reply is None:
            if message is not None:
                self._listener.on_message(self, message, at_ns)
        elif reply.done():
            return
        elif isinstance(message, Error):
            name = ErrorCode(message.code).name if message.code in list(ErrorCode) else str(message.code)
            reply.set_exception(SwarmError(f"the server refused a request: {name}, {message.message}"))
        else:
            reply.set_result(message)

    def _hear_close(self, payload: bytes) -> None:
        if self.state is State.OPEN:
            code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
            self._write(FIN_CLOSE, payload[:2])
            self._drop(f"the server closed with {code} {payload[2:].decode(errors='replace')}".rstrip())
        elif self._transport is not None:
            self._transport.close()

    def _write(self, first: int, payload: bytes) -> None:
        if self._transport is not None and self.state is State.OPEN:
            key = self._random.getrandbits(32).to_bytes(4)
            self._transport.write(build_masked(first, payload, key, apply_mask))

    def _drop(self, reason: str) -> None:
        """The socket is of no more use: tell whoever waits for something, and the listener, once."""
        if self.state not in (State.OPENING, State.OPEN):
            return
        opening = self.state is State.OPENING
        self.state = State.LEAVING
        for reply in self._requests.give_up():
            if not reply.done():
                reply.set_exception(SwarmError(reason))
        if not opening:
            self._listener.on_dropped(self, reason)
        elif not self.opened.done():
            self.opened.set_exception(SwarmError(reason))
        if self._transport is not None:
            self._transport.close()
