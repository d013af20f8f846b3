"""What a test message carries: who said it, as which of their messages, when it was due and when it was sent.

Thirty bytes, so that in base64 it is forty characters without padding, wherever more follows. It begins with
a mark that is found in a frame without decoding it, and ends with a checksum: a byte that was changed on its
way must not pass for another time, or another message.
"""

import binascii
import struct
from binascii import crc32
from typing import Final, NamedTuple

_FIELDS: Final = struct.Struct(">3sBIIQI")
_LAYOUT: Final = struct.Struct(">3sBIIQIIxx")
SIZE: Final = _LAYOUT.size
MARK: Final = b"LGs"
MARK_TEXT: Final = binascii.b2a_base64(MARK, newline=False)
"""The mark in base64: three bytes are four characters of their own."""
SIZE_TEXT: Final = SIZE * 4 // 3
MARKS: Final = (MARK_TEXT, MARK)
"""By `Format`, as its frames hold it."""
_END: Final = b"\0\0"
MAX_SLIP_US: Final = 0xFFFF_FFFF

assert SIZE % 3 == 0  # base64 of a stamp stands for itself


Fields = tuple[bytes, int, int, int, int, int, int]
"""The mark, those of a `Stamp`, and the checksum, which holds."""
Shape = tuple[int, int, bytes, int, bytes, str]
"""Of a message: its length, where its stamp begins, all before that, where it ends, all behind, its place."""


class Stamp(NamedTuple):
    """What was read: times are nanoseconds of the worker's monotonic clock."""

    run: int
    """Tells the runs of one server apart: what is kept (chat) may be heard again in a later one."""
    visit: int
    number: int
    due_ns: int
    slip_us: int
    """How long after it was due the message was sent."""


def pack(run: int, visit: int, number: int, due_ns: int, sent_ns: int) -> bytes:
    """A stamp as bytes."""
    slip_us = min(max(sent_ns - due_ns, 0) // 1000, MAX_SLIP_US)
    fields = _FIELDS.pack(MARK, run, visit, number, due_ns, slip_us)
    return fields + crc32(fields).to_bytes(4) + _END


def read(data: bytes) -> Stamp | None:
    """The stamp that the data begins with, or None."""
    found = _unpack(data[:SIZE]) if data.startswith(MARK) else None
    return None if found is None else Stamp(*found[1:-1])


def fields(data: bytes, at: int) -> Fields | None:
    """The fields of a stamp whose mark was found at `at`, as text or plain; None if that is no stamp.

    A plain tuple: this is asked for each frame that is received.
    """
    try:
        if data.startswith(MARK_TEXT, at):
            return _unpack(binascii.a2b_base64(data[at : at + SIZE_TEXT]))
    except binascii.Error:
        return None
    return _unpack(data[at : at + SIZE])


def _unpack(packed: bytes) -> Fields | None:
    if len(packed) != SIZE or not packed.endswith(_END):
        return None
    found: Fields = _LAYOUT.unpack(packed)
    return found if crc32(packed[: _FIELDS.size]) == found[-1] else None


def shape(payload: bytes, place: str) -> Shape | None:
    """What stands before and behind the stamp of what was said in this place; None without one."""
    before, length = payload.find(MARK_TEXT), SIZE_TEXT
    if before < 0:
        before, length = payload.find(MARK), SIZE
    if before < 0:
        return None
    behind = before + length
    return len(payload), before, payload[:before], behind, payload[behind:], place


def fill(shape: Shape, packed: bytes) -> bytes:
    """The message of this shape that carries this stamp."""
    _, before, head, behind, tail, _ = shape
    is_text = behind - before == SIZE_TEXT
    return head + (binascii.b2a_base64(packed, newline=False) if is_text else packed) + tail
