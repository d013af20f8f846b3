"""Random streams of frames, good and bad, and what the library alone makes of them.

A stream is made of its seed and nothing else. The first byte of a message tells both sides what to do about
it besides echoing it, so that closing and holding can happen anywhere.
"""

import random
import zlib
from dataclasses import dataclass, field

from websockets.exceptions import PayloadTooBig
from websockets.extensions import Extension
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from protocol.close import CloseReason
from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, build, extent
from server.transport.compression import RSV1, SYNC_TAIL, WINDOW_BITS, Agreed
from server.transport.websocket import MAX_CONTROL_BYTES
from tests.support.transport import masked

MAX_BYTES = 700
"""Of a message."""
TEXT, BINARY, MORE, LAST = 0x01, 0x02, 0x00, 0x80
CLOSES, HOLDS = b"C", b"H"
"""First bytes of messages behind which the server closes, or stops reading for a while."""
GOOD = [FIN_TEXT] * 6 + [FIN_BINARY] * 3 + [FIN_PING, FIN_PONG] * 2
PARTS = [TEXT, BINARY, LAST] + [MORE] * 3
BAD = [0x83, 0x8B, 0x03, 0x09, 0x0A, 0x08, 0xC1, 0xA2, 0x99, 0x90, 0xC9]
CODES = (0, 999, 1000, 1001, 1004, 1005, 1006, 1007, 1011, 1014, 1015, 2999, 3000, 4999, 5000)
LENGTHS = (0, 1, 2, 124, 125, 126, 127, 128, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, 65535, 65536)


@dataclass
class Outcome:
    """What was handed out, what was sent (of a close only the code), and whether it ended."""

    messages: list[tuple[bytes, bool]] = field(default_factory=list)
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    ended: bool = False


def stream_of(chance: random.Random, *, deflate: bool) -> bytes:
    """Some frames, in most streams all of them good up to a point; at times a single one is cut off.

    Not one of several: the library refuses a fragment when it knows its length, we when it is there.
    `deflate`: some messages are compressed.
    """
    bad = chance.choice((0, 0, 0.02, 0.1))
    stream = b""
    open_message = False
    for _ in range(chance.randrange(14)):
        first = _first(chance, bad, open_message)
        if first & 0x0F < 3:
            open_message = first < 0x80
        if deflate and first in (FIN_TEXT, FIN_BINARY, TEXT, BINARY) and chance.random() < 0.4:
            stream += _compressed(chance, first & 0x0F, bad)
            open_message = open_message and chance.random() < bad
        else:
            stream += _frame(chance, first, bad)
    if not bad and not open_message and chance.random() < 0.2:
        last = _frame(chance, chance.choice(GOOD), bad)
        stream += last[: chance.randrange(len(last))]
    return stream


def _compressed(chance: random.Random, opcode: int, bad: float) -> bytes:
    """A compressed message, in parts at times; what it holds may be a lot more than what is sent."""
    size = chance.choice((0, 1, 20, 300, MAX_BYTES, MAX_BYTES, MAX_BYTES + 1, 100_000))
    content = chance.choice((b"a" * size, chance.randbytes(min(size, MAX_BYTES))))
    deflate = zlib.compressobj(wbits=-chance.choice((9, WINDOW_BITS)))
    data = (deflate.compress(content) + deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(SYNC_TAIL)
    if chance.random() < bad:
        spoiled = bytearray(data)
        spoiled[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        data = bytes(spoiled)
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 3))))
    parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    heads = [opcode | RSV1, *[MORE] * (len(parts) - 1)]
    heads[-1] |= LAST
    if chance.random() < bad:
        heads[-1] ^= RSV1
    frames = [masked(head, part, chance.randbytes(4)) for head, part in zip(heads, parts, strict=True)]
    return chance.choice((b"", b"", masked(FIN_PING, b"between"))).join(frames)


def cut(chance: random.Random, stream: bytes) -> list[bytes]:
    """A stream in pieces, as a network might deliver it."""
    if chance.random() < 0.1:
        return [stream[at : at + 1] for at in range(len(stream))]
    places = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.choice((0, 1, 3, 20))))
    return [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]


def reference(stream: bytes, agreed: Agreed | None) -> Outcome | None:
    """What the library alone makes of it, for a server that echoes. None: it is too strict with this one."""
    library = Protocol(Side.SERVER, max_size=MAX_BYTES)
    inflating: list[Extension] = [] if agreed is None else [agreed.extension()]
    outcome = Outcome()
    parts: list[bytes] = []
    binary = False
    at = 0
    for octet in stream:
        library.extensions = inflating
        library.receive_data(bytes((octet,)))
        library.extensions = []  # what it echoes is compared as it is
        at += library.parser_exc is None
        for event in library.events_received():
            assert isinstance(event, Frame)
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                parts, binary = [], event.opcode is Opcode.BINARY
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                parts.append(bytes(event.data))
                # The library goes on reporting messages behind a close of ours.
                if event.fin and library.state is State.OPEN:
                    outcome.messages.append((b"".join(parts), binary))
                    _act(library, *outcome.messages[-1])
    if isinstance(library.parser_exc, PayloadTooBig) and _refused_control(stream, at):
        return None
    outcome.sent = sent_frames(b"".join(library.data_to_send()))
    outcome.ended = library.state is not State.OPEN
    return outcome


def _refused_control(stream: bytes, at: int) -> bool:
    """Whether the frame at `at` is a ping, pong or close of a good size.

    The library counts what comes between the fragments of a message towards the message, although it is no
    part of it (RFC 6455, section 5.4).
    """
    position = 0
    while True:
        start, end = extent(stream, position)
        if not start or end > at:
            return stream[position] & 0x0F >= 8 and stream[position + 1] & 0x7F <= MAX_CONTROL_BYTES
        position = end


def sent_frames(stream: bytes) -> list[tuple[int, bytes]]:
    frames = []
    while stream:
        length, start = stream[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(stream[2:start])
        payload = stream[start : start + length]
        frames.append((stream[0], payload[:2] if stream[0] == FIN_CLOSE else payload))
        stream = stream[start + length :]
    return frames


def _act(library: Protocol, payload: bytes, binary: bool) -> None:
    if payload.startswith(CLOSES):
        library.send_close(CloseReason.MALFORMED.code, CloseReason.MALFORMED.text)
    elif binary:
        library.send_binary(payload)
    else:
        library.send_text(payload)


def _first(chance: random.Random, bad: float, open_message: bool) -> int:
    if chance.random() < bad:
        return chance.choice(BAD + PARTS + [FIN_TEXT, FIN_BINARY])
    if chance.random() < 0.05:
        return FIN_CLOSE
    if open_message:
        return chance.choice([MORE, MORE, LAST, FIN_PING, FIN_PONG])
    return chance.choice([*GOOD, TEXT, TEXT, BINARY])


def _frame(chance: random.Random, first: int, bad: float) -> bytes:
    control = first in (FIN_PING, FIN_PONG, FIN_CLOSE)
    size = chance.randrange(30)
    if chance.random() < max(bad, 0.05):
        size = chance.choice(LENGTHS)
    if control and chance.random() >= bad:
        size = min(size, 125)
    payload = chance.randbytes(size)
    if first == FIN_CLOSE and chance.random() < 0.9:
        reason = chance.choice((b"", "gründe".encode(), b"\xff", b"x" * 123))
        payload = chance.choice(CODES).to_bytes(2) + reason
    elif size and chance.random() < 0.1:
        payload = chance.choice((CLOSES, HOLDS, HOLDS)) + payload[1:]
    if chance.random() < bad / 3:
        return build(first, payload)
    return masked(first, payload, chance.randbytes(4))
