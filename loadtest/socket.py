"""A player's socket: a client-side connection on a raw transport, without a task or timer of its own.

Cuts and builds frames, answers the server's pings, matches replies to requests, and hands everything else to
its listener, who may know a frame by its bytes and spare it the decoding. Who speaks, and when, is decided
elsewhere.
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
from loadtest.failures import ErrorReply, NoReply, Refused, SwarmError
from protocol.conversation import Requests
from protocol.envelope import FIRST_BYTE, Envelope, Format, decode_server, encode
from protocol.errors import ErrorCode
from protocol.frames import FIN_CLOSE, FIN_PING, FIN_PONG, build_masked, extent
from protocol.message import Message
from protocol.messages import Error

MAX_FRAME_BYTES: Final = 1 << 20
MAX_UNSENT_BYTES: Final = 1 << 20
REPLY_TIMEOUT_S: Final = 10.0
MAX_PENDING: Final = 10_000
"""Requests of one socket that wait for their replies: of a thousand a second, ten seconds' worth."""
LOOK_S: Final = 0.02
"""How often who leaves looks whether everything was answered. Nearly always it was, before the first time."""
MAX_TEXT: Final = 80
"""Characters of a refusal that are told."""


class State(Enum):
    """A socket's life."""

    OPENING = auto()
    OPEN = auto()
    LEAVING = auto()
    CLOSED = auto()


class Listener:
    """Who hears a socket."""

    def on_frame(self, socket: "Socket", data: bytes, start: int, end: int, at_ns: int) -> bool:
        """A message is `data[start:end]`. True: it is known by its bytes, and need not be decoded."""
        return False

    def on_message(self, socket: "Socket", message: Message, at_ns: int) -> None:
        """The server said something of its own accord; `at_ns` is when its bytes arrived."""

    def on_stray_reply(self, socket: "Socket", message: Message | None) -> None:
        """The server replied to what was answered before, or was never asked."""

    def on_dropped(self, socket: "Socket", reason: str) -> None:
        """The socket ended, and not because the player left."""


class _Deaf(Listener):
    """Who leaves: what is still under way to them is not decoded, of which there is much when all leave."""

    def on_frame(self, socket: "Socket", data: bytes, start: int, end: int, at_ns: int) -> bool:
        return True


class Heard(Protocol):
    """Who waits for a reply: called once, in the turn in which it arrives, so before what comes behind it."""

    def __call__(self, message: Message | None, error: SwarmError | None, at_ns: int, /) -> None: ...


class Socket(asyncio.Protocol):
    """Await `opened` first; `leave` last."""

    def __init__(
        self,
        listener: Listener,
        handshake: tuple[str, str],
        random: Random,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        form: Format = Format.JSON,
    ) -> None:
        self.state = State.OPENING
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.secured_ns = self.opened_ns = self.closed_ns = 0
        """When TCP and TLS stood, when the upgrade was granted, and when the server's close was read."""
        self.close_code = 0
        """That the server has sent; 0: none so far."""
        self.dropped = ""
        """Why it ended, if the player did not leave."""
        self.writable = asyncio.Event()
        self.writable.set()
        self.is_patient = False
        """Whether this player waits when the server reads too slowly; others would not, and are lost."""
        self.form = form
        self._listener = listener
        self._host, self._target = handshake
        self._random = random
        self._clock_ns = clock_ns
        self._key = random.randbytes(16)
        self._requests = Requests[Heard](MAX_PENDING, self._give_up)
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._refused: Refused | None = None

    # What the player does.

    def send(self, message: Message, cid: str = "") -> None:
        """Say something; nothing is sent once the socket has ended."""
        if self.state is State.OPEN:
            self._write(FIRST_BYTE[self.form], encode(Envelope(message, cid), self.form))

    def send_payload(self, payload: bytes) -> None:
        """Send an envelope that is encoded already."""
        self._write(FIRST_BYTE[self.form], payload)

    def send_raw(self, data: bytes) -> None:
        """Write bytes that need not be frames."""
        if self._transport is not None and self.state is State.OPEN:
            self._transport.write(data)

    def request(self, message: Message, heard: Heard) -> str:
        """Send a request; `heard` is called with its reply or with what became of the socket. Its cid."""
        if self.state is not State.OPEN:
            raise SwarmError("a socket ended before its player was ready")
        cid = self._requests.open(heard)
        self.send(message, cid)
        return cid

    async def ask(
        self,
        message: Message,
        then: Callable[[Message | None, int], None] | None = None,
        within_s: float = REPLY_TIMEOUT_S,
    ) -> Message | None:
        """Send a request and wait for its reply. `then` is called with it in the turn in which it arrives.

        Raises ErrorReply when refused, SwarmError when left without a reply.
        """
        reply: asyncio.Future[Message | None] = asyncio.get_running_loop().create_future()

        def heard(message: Message | None, error: SwarmError | None, at_ns: int) -> None:
            if reply.done():
                return
            if error is not None:
                reply.set_exception(error)
                return
            if then is not None:
                then(message, at_ns)
            reply.set_result(message)

        cid = self.request(message, heard)
        try:
            async with asyncio.timeout(within_s):
                return await reply
        except TimeoutError:
            raise NoReply(f"no reply to {type(message).__name__} in {within_s:g} s") from None
        finally:
            self._requests.close(cid)

    async def answered(self, within_s: float) -> None:
        """Wait until every request is answered; those that are not in time are told `NoReply`."""
        deadline_ns = self._clock_ns() + round(within_s * 1e9)
        # No event instead: it would cost something for each reply that is heard.
        while self._requests and self._clock_ns() < deadline_ns:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        for heard in self._requests.give_up():
            heard(None, NoReply(f"requests without a reply for {within_s:g} s"), self._clock_ns())

    def deafen(self) -> None:
        """Neither read nor answer from now on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def listen(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def leave(self) -> None:
        """Close the socket and hear nothing more; `closed` is done when TCP has ended."""
        if self.state is State.OPEN:
            self._write(FIN_CLOSE, (1000).to_bytes(2))
            self.state = State.LEAVING
            self._listener = _DEAF

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
        self.secured_ns = self._clock_ns()
        stream.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        stream.write(upgrade.request(self._host, self._target, self._key))

    def data_received(self, data: bytes) -> None:
        at_ns = self._clock_ns()
        if self._rest:
            data = self._rest + data
        try:
            start = self._read_head(data, at_ns) if self.state is State.OPENING else 0
            self._rest = data[self._read_frames(data, start, at_ns) :] if start is not None else data
        except Refused as error:
            self._refused = error
            self._drop(str(error))
        except SwarmError as error:
            self._drop(str(error))

    def pause_writing(self) -> None:
        self.writable.clear()
        if not self.is_patient:
            self._drop("the server reads too slowly")

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.state is not State.LEAVING:
            self._drop("the connection broke")
        self.state = State.CLOSED
        self.writable.set()
        if not self.closed.done():
            self.closed.set_result(None)

    # Frames.

    def _read_head(self, data: bytes, at_ns: int) -> int | None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > upgrade.MAX_HEAD_BYTES:
                raise SwarmError("the server's answer has no end")
            return None
        upgrade.check(data[:end], self._key)
        self.state = State.OPEN
        self.opened_ns = at_ns
        if not self.opened.done():
            self.opened.set_result(None)
        return end + 4

    def _read_frames(self, data: bytes, at: int, at_ns: int) -> int:
        """Handle all whole frames from `at`; where the rest begins."""
        size = len(data)
        message = FIRST_BYTE[self.form]
        on_frame = self._listener.on_frame
        while True:
            start, end = extent(data, at)
            if end - start > MAX_FRAME_BYTES:
                raise SwarmError("the server sent a frame too large")
            if not end or end > size:
                return at
            first = data[at]
            if first == message:
                if not on_frame(self, data, start, end, at_ns):
                    self._hear(data[start:end], at_ns)
            elif first == FIN_PING:
                self._write(FIN_PONG, data[start:end])
            elif first == FIN_CLOSE:
                self._hear_close(data[start:end], at_ns)
            elif first != FIN_PONG:
                raise SwarmError(f"the server sent a frame of unknown kind {first:#x}")
            at = end

    def _hear(self, payload: bytes, at_ns: int) -> None:
        try:
            envelope = decode_server(payload, self.form)
        except ValueError:
            raise SwarmError("the server sent what is no message") from None
        message = envelope.message
        heard = self._requests.close(envelope.cid) if envelope.cid else None
        if heard is None:
            if envelope.cid:
                self._listener.on_stray_reply(self, message)
            elif message is not None:
                self._listener.on_message(self, message, at_ns)
        elif isinstance(message, Error):
            name = ErrorCode(message.code).name if message.code in list(ErrorCode) else str(message.code)
            told = f"the server refused a request: {name}, {message.message[:MAX_TEXT]}"
            heard(None, ErrorReply(message.code, told), at_ns)
        else:
            heard(message, None, at_ns)

    def _hear_close(self, payload: bytes, at_ns: int) -> None:
        self.closed_ns = at_ns
        self.close_code = int.from_bytes(payload[:2]) if len(payload) >= 2 else 1005
        if self.state is State.OPEN:
            self._write(FIN_CLOSE, payload[:2])
            reason = payload[2:].decode(errors="replace")
            self._drop(f"the server closed with {self.close_code} {reason}".rstrip())
        elif self._transport is not None:
            self._transport.close()

    def _give_up(self, heard: Heard) -> None:
        heard(
            None,
            NoReply(f"more than {MAX_PENDING:,} requests of one player without a reply"),
            self._clock_ns(),
        )

    def _write(self, first: int, payload: bytes) -> None:
        if self._transport is not None and self.state is State.OPEN:
            key = self._random.getrandbits(32).to_bytes(4)
            self._transport.write(build_masked(first, payload, key, apply_mask))

    def _drop(self, reason: str) -> None:
        """The socket is of no more use: tell whoever waits for something, and the listener, once."""
        if self.state not in (State.OPENING, State.OPEN):
            return
        opening = self.state is State.OPENING
        self.state, self.dropped = State.LEAVING, reason
        for heard in self._requests.give_up():
            heard(None, SwarmError(reason), self._clock_ns())
        if not opening:
            self._listener.on_dropped(self, reason)
        elif not self.opened.done():
            self.opened.set_exception(self._refused or SwarmError(reason))
        if self._transport is not None:
            self._transport.close()


_DEAF: Final = _Deaf()
