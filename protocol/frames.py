"""WebSocket frames (RFC 6455, section 5.2), located and built for either side.

Pure: masking is injected, since the fast implementation belongs to a library that only the two users of this
module (the server's transport and the load tester's player) import. What a frame means is not decided here.
"""

from collections.abc import Callable
from typing import Final

FIN_TEXT: Final = 0x81
FIN_BINARY: Final = 0x82
FIN_CLOSE: Final = 0x88
FIN_PING: Final = 0x89
FIN_PONG: Final = 0x8A

MASKED: Final = 0x80

Mask = Callable[[bytes, bytes], bytes]
"""`apply_mask(payload, key) -> payload`; its own inverse."""


def extent(data: bytes, at: int) -> tuple[int, int]:
    """Where the payload of the frame that begins at `at` starts and ends.

    `(0, 0)` while the header is incomplete. The end may lie behind `data`. With the mask bit set, the key is
    the four bytes before the start.
    """
    available = len(data) - at
    if available < 2:
        return 0, 0
    second = data[at + 1]
    length = second & 0x7F
    start = at + 2
    if length > 125:
        start += 2 if length == 126 else 8
        if start > len(data):
            return 0, 0
        length = int.from_bytes(data[at + 2 : start])
    if second & MASKED:
        start += 4
        if start > len(data):
            return 0, 0
    return start, start + length


def build(first: int, payload: bytes) -> bytes:
    """One whole unmasked frame, as servers send it; `first` is FIN and opcode."""
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2) + payload
    return bytes((first, 127)) + length.to_bytes(8) + payload


def build_masked(first: int, payload: bytes, key: bytes, apply_mask: Mask) -> bytes:
    """One whole masked frame, as clients send it; `key` is four bytes (RFC 6455, section 5.3)."""
    length = len(payload)
    if length < 126:
        head = bytes((first, MASKED | length))
    elif length < 65536:
        head = bytes((first, MASKED | 126)) + length.to_bytes(2)
    else:
        head = bytes((first, MASKED | 127)) + length.to_bytes(8)
    return head + key + apply_mask(payload, key)
