"""One WebSocket connection: an asyncio protocol with a fast path around websockets' Sans-I/O core.

Whole text and binary frames, pings and pongs are cut, unmasked and answered here. Everything else (closes,
fragments, errors) goes frame by frame to the library, which is made when first needed, so not for a socket
that is idle, and decides what the standard demands. What a message means is the listener's business; who the
peer is, nobody's here.
"""

import asyncio
from typing import cast

from websockets.exceptions import ProtocolError as FrameError
from websockets.frames import (  # type: ignore[attr-defined]  # apply_mask: C where it was built
    Close,
    Frame,
    Opcode,
    apply_mask,
)
from websockets.protocol import Side, State

from protocol.close import CloseReason
from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, MASKED, build, extent
from server.transport.abandoned import LastFrames, Nobody
from server.transport.compression import Agreed
from server.transport.cork import Cork
from server.transport.keepalive import Keepalive
from server.transport.library import StrictLibrary, is_hopeless
from server.transport.pings import Pings
from server.transport.ports import Listener, Outgoing
from server.transport.round_trips import Ping

MESSAGES = frozenset({FIN_TEXT, FIN_BINARY})
"""First bytes of frames that are messages of their own."""
CONTROL = frozenset({FIN_PING, FIN_PONG, FIN_CLOSE})
"""First bytes of control frames, which may come between the fragments of a message."""
FRAMES_PER_TURN = 64
"""Frames of one peer that are handled before others have their turn; about a millisecond's work."""
MAX_CONTROL_BYTES = 125
"""Payload of a control frame at most (RFC 6455, section 5.5)."""
ABNORMAL = 1006
"""Close code for a connection that ended without a close frame (RFC 6455, section 7.1.5)."""


class WebSocket(asyncio.Protocol):
    """A connection past its handshake. Make it, then call `connection_made` with the transport."""

    __slots__ = (
        "_agreed",
        "_cork",
        "_fragments",
        "_fragments_binary",
        "_gave_up",
        "_held",
        "_keepalive",
        "_library",
        "_listener",
        "_max_fragments",
        "_max_message_bytes",
        "_outgoing",
        "_paused",
        "_rest",
        "_told_closed",
        "_transport",
        "_waiting_turn",
        "bytes_in",
        "bytes_out",
        "closing_at",
        "heard",
        "messages_in",
        "messages_out",
        "ping_at",
        "pings",
        "seen_at",
    )

    def __init__(
        self,
        listener: Listener,
        outgoing: Outgoing,
        cork: Cork,
        keepalive: Keepalive,
        *,
        max_message_bytes: int,
        max_fragments: int,
        agreed: Agreed | None = None,
    ) -> None:
        self._listener = listener
        self._outgoing = outgoing
        self._cork = cork
        self._keepalive = keepalive
        self._max_message_bytes = max_message_bytes
        self._max_fragments = max_fragments
        self._agreed = agreed
        self._transport: asyncio.Transport | None = None
        self._library: StrictLibrary | None = None
        self._rest = b""
        self._fragments: list[bytes] | None = None
        self._fragments_binary = False
        self._paused = self._held = self._waiting_turn = False
        self._gave_up = self._told_closed = False
        self.heard = False
        self.seen_at = 0.0
        self.ping_at = 0.0
        self.closing_at: float | None = None
        self.pings = Pings()
        self.bytes_in = self.bytes_out = 0
        self.messages_in = self.messages_out = 0

    # ---- the life of the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the same methods
        # Nothing is written while the peer is behind, so that what waits stays ours to drop or to count.
        self._transport.set_write_buffer_limits(high=1)  # at 0, TLS would call an empty buffer full

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._keepalive.remove(self)
        self._tell_closed()
        self._listener.lost()

    def close(self, reason: CloseReason) -> None:
        """Send a close frame behind what is queued; the peer's answer, or a time-out, ends the connection."""
        library = self._the_library()
        if library.state is State.OPEN:
            library.send_close(reason.code, reason.text)
            self._pump(library)

    def abort(self) -> None:
        """End TCP now; what is unsent is lost."""
        if self._transport is not None:
            self._transport.abort()

    def abandon(self) -> None:
        """Whoever listened goes on without this connection: close it, and tell nobody."""
        self._listener, self._outgoing = Nobody(), LastFrames()
        if self._paused:
            self.abort()
        elif self._transport is not None:
            self.close(CloseReason.DISCONNECTED)
            self.flush()

    def ping(self, ping: Ping) -> None:
        """Ask the peer for a pong. As long as it owes one, the same is asked for again."""
        self.flush()  # what waits is older
        self._outgoing.put(self.pings.ask(ping, self.messages_out, reading=not self._stopped()))

    def give_up(self) -> None:
        """The peer is silent: say so, in case it hears; the sweep aborts the connection later."""
        if self._held:
            self.heard = True  # not the peer is silent: we are not reading
            return
        self._gave_up = True
        self.close(CloseReason.PONG_TIMEOUT)
        self._tell_closed()

    # ---- receiving

    def data_received(self, data: bytes) -> None:
        self.heard = True
        self.bytes_in += len(data)
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self._stopped():
            self._rest = data
        else:
            self._cut(data)

    def eof_received(self) -> bool:
        return False  # a peer that has stopped sending can no longer close properly: let TCP end

    def hold(self) -> None:
        """Stop handing out messages, and reading, until `release`. What has been read is kept."""
        self._held = True
        self._pause_reading()

    def release(self) -> None:
        """Hand out what was held back, and read on."""
        self._held = False
        self._read_on()

    def _take_turns(self) -> None:
        # Whoever sends very much waits until others have been heard.
        self._waiting_turn = True
        self._pause_reading()
        self._cork.soon(self._have_turn)

    def _have_turn(self) -> None:
        self._waiting_turn = False
        self._read_on()

    def _stopped(self) -> bool:
        return self._held or self._waiting_turn

    def _pause_reading(self) -> None:
        self.pings.interrupted()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if self._stopped() or self._transport is None:
            return
        data, self._rest = self._rest, b""
        self._cut(data)
        # A message among them may have held the connection again, or ended it.
        if not self._stopped() and not self._transport.is_closing():
            self._transport.resume_reading()

    def _cut(self, data: bytes) -> None:
        position, size, turns = 0, len(data), FRAMES_PER_TURN
        while position < size:
            if size - position > 5 and MASKED <= data[position + 1] < MASKED | 126:
                # As `extent` finds it, without the call: most frames are short.
                start = position + 6
                end = start + data[position + 1] - MASKED
            else:
                start, end = extent(data, position)
            if end - start > self._max_message_bytes or (start and data[position + 1] < MASKED):
                self._feed(data[position:])  # the library refuses what is too long or unmasked
                return
            if not start or end > size:
                if size - position > 1 and is_hopeless(data, position, self._max_message_bytes):
                    self._feed(data[position:])
                    return
                break
            first = data[position]
            if self._library is not None and self._library.state is not State.OPEN:
                # Whole messages are not looked at any more; the library waits for the peer's close.
                if first not in MESSAGES or self._fragments is not None:
                    self._feed(data[position:end])
            elif first in MESSAGES and self._fragments is None:
                self.messages_in += 1
                payload = apply_mask(data[start:end], data[start - 4 : start])
                self._listener.received(payload, binary=first == FIN_BINARY)
            elif first in CONTROL and end - start <= MAX_CONTROL_BYTES:
                self._control(first, data[position:end], apply_mask(data[start:end], data[start - 4 : start]))
            else:
                self._feed(data[position:end])
            position = end
            turns -= 1
            if self._held or not turns:
                break
        if not turns and position < size:
            self._take_turns()
        if position < size:
            self._rest = data[position:]

    def _control(self, first: int, frame: bytes, payload: bytes) -> None:
        if first == FIN_PONG:
            self.pings.answered(payload, self._keepalive.round_trips)
        elif first == FIN_PING:
            self._outgoing.put(build(FIN_PONG, payload))
        else:
            if self._fragments is None:
                self._answer_close(payload)
            self._feed(frame)

    def _answer_close(self, payload: bytes) -> None:
        # The reference echoes the code without the text; the library would echo both. Sending ours first is
        # the documented way to choose. A payload that is not valid is left to the library, which fails it.
        library = self._the_library()
        try:
            code = Close.parse(payload).code
        except (FrameError, UnicodeDecodeError):
            return
        if payload:
            library.send_close(code)
        else:
            library.send_close()

    def _feed(self, data: bytes) -> None:
        library = self._the_library()
        library.receive_data(data)
        for event in library.events_received():
            if isinstance(event, Frame):
                self._frame(event)
        self._pump(library)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY) and frame.fin:
            self._message(bytes(frame.data), binary=frame.opcode is Opcode.BINARY)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._fragments = [bytes(frame.data)]
            self._fragments_binary = frame.opcode is Opcode.BINARY
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(bytes(frame.data))
            if len(self._fragments) > self._max_fragments:
                self._fragments = None
                self.close(CloseReason.TOO_BIG)
            elif frame.fin:
                parts, self._fragments = self._fragments, None
                self._message(b"".join(parts), binary=self._fragments_binary)

    def _message(self, payload: bytes, *, binary: bool) -> None:
        if self.closing_at is None:
            self.messages_in += 1
            self._listener.received(payload, binary=binary)

    # ---- sending

    def flush(self) -> None:
        """Write what waits, in one call if that is not much, unless the peer is behind."""
        outgoing = self._outgoing
        while not self._paused and self._transport is not None:
            frames = outgoing.take()
            if frames:
                data = frames[0] if len(frames) == 1 else b"".join(frames)
                self.messages_out += len(frames)
                self.bytes_out += len(data)
                self._transport.write(data)
            if not outgoing.queued:
                return

    def answer(self, whole: bytes) -> None:
        """Write one frame at once if nothing is to go before it: for what is said alone, such as a pong."""
        outgoing, transport = self._outgoing, self._transport
        if outgoing.queued or self._paused or transport is None:
            outgoing.put(whole)
        else:
            self.messages_out += 1
            self.bytes_out += len(whole)
            transport.write(whole)

    def wake(self) -> None:
        """The outgoing queue has its first frame: flush it at the end of this turn of the loop."""
        self._cork.add(self)

    @property
    def unconfirmed(self) -> bool:
        """Whether anything was written after the last ping that was answered: it may not have arrived."""
        return self.pings.unconfirmed(self.messages_out)

    @property
    def buffered(self) -> int:
        """Bytes that the transport holds, because the network has not taken them."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def pause_writing(self) -> None:
        self._paused = True
        self._outgoing.stall()

    def resume_writing(self) -> None:
        self._paused = False
        self.flush()
        if not self._paused:
            self._outgoing.catch_up()

    # ---- the library

    def _the_library(self) -> StrictLibrary:
        if self._library is None:
            self._library = StrictLibrary(Side.SERVER, max_size=self._max_message_bytes)
            if self._agreed is not None:
                self._library.extensions = [self._agreed.extension()]
        return self._library

    def _pump(self, library: StrictLibrary) -> None:
        for chunk in library.data_to_send():
            if chunk:
                self._outgoing.put(chunk)
            else:
                self._end_of_stream(library)
        if library.state is not State.OPEN:
            if self.closing_at is None:
                self.closing_at = self._keepalive.now
            self.flush()  # whoever is told may take what waits elsewhere
            self._tell_closed()

    def _end_of_stream(self, library: StrictLibrary) -> None:
        self.flush()
        if self._transport is None or self._transport.is_closing():
            return
        if library.close_rcvd is None and self._transport.can_write_eof() and not self._paused:
            # The peer may still be sending: closing now could reset the connection before it has read our
            # close frame. Its own close, or the sweep, ends TCP.
            self._transport.write_eof()
        else:
            self._transport.close()

    def _tell_closed(self) -> None:
        if not self._told_closed:
            self._told_closed = True
            code, reason = self._close_code()
            self._listener.closed(code, reason, dropped=self._gave_up or code == ABNORMAL)

    def _close_code(self) -> tuple[int, str]:
        library = self._library
        sent = None if library is None else (library.close_sent or library.close_rcvd)
        return (ABNORMAL, "") if sent is None else (sent.code, sent.reason)
