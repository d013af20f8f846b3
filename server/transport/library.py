"""The library's core as this server uses it, and what is known of a frame before the core has to see it."""

from websockets.frames import Opcode
from websockets.protocol import Protocol as Library

from protocol.close import CloseReason
from protocol.frames import MASKED

OPCODES = frozenset(Opcode)
EXTENDED = {126: 2, 127: 8}
"""Bytes that the length takes which follow these values of a header (RFC 6455, section 5.2)."""


class StrictLibrary(Library):
    """The library's core, but a message that is too big is refused without a text, as the wire demands."""

    def fail(self, code: int, reason: str = "") -> None:
        super().fail(code, "" if code == CloseReason.TOO_BIG.code else reason)


def is_hopeless(data: bytes, at: int, max_bytes: int) -> bool:
    """Whether what has come of a frame, two bytes or more, tells that the rest need not be awaited."""
    second = data[at + 1]
    length = second & ~MASKED
    if extended := EXTENDED.get(length):
        head = data[at + 2 : at + 2 + extended]
        length = int.from_bytes(head) if len(head) == extended else 0
    return second < MASKED or data[at] & 0x0F not in OPCODES or length > max_bytes
