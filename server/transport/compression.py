"""Compressed messages (permessage-deflate, RFC 7692): what is agreed on, and how messages leave.

No context is taken over, either way: nothing is kept between messages, and one compressed frame serves all
receivers. What arrives is inflated by the library, which stops at the limit of a message.
"""

import zlib
from functools import cache
from typing import NamedTuple

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

from protocol.frames import FIN_BINARY, FIN_TEXT, build, extent

NAME = "permessage-deflate"
WINDOW_BITS = 12
"""Of what we send. A client that demands a smaller window gets no compression: all share the same frames."""
MEMORY_LEVEL = 5
RSV1 = 0x40
"""Marks a compressed message (RFC 7692, section 6)."""
MESSAGES = frozenset({FIN_TEXT, FIN_BINARY})
SYNC_TAIL = b"\x00\x00\xff\xff"
"""Ends what the compressor gives, and is left out (RFC 7692, section 7.2.1)."""
CACHE_BYTES = 1 << 20
"""Of compressed frames that are kept for other receivers; with more, all are forgotten."""

FACTORY = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=WINDOW_BITS,
    client_max_window_bits=WINDOW_BITS,
)


class Agreed(NamedTuple):
    """What one connection has agreed on: the answer's header, and the window of what the client sends."""

    header: str
    client_bits: int

    def extension(self) -> PerMessageDeflate:
        """The state of one connection, for the library."""
        return PerMessageDeflate(True, True, self.client_bits, WINDOW_BITS)


def negotiate(offers: str) -> Agreed | None:
    """The first offer of the header `Sec-WebSocket-Extensions` that we can take; None: there is none.

    Raises ValueError for a header that is none (RFC 6455, section 9.1).
    """
    try:
        parsed = parse_extension(offers) if offers else []
    except InvalidHeader:
        raise ValueError("malformed Sec-WebSocket-Extensions") from None
    for name, parameters in parsed:
        if name == NAME:
            try:
                answer, extension = FACTORY.process_request_params(parameters, [])
            except NegotiationError:
                continue  # unknown, repeated or wrong: the next may do (RFC 7692, section 5.1)
            if extension.local_max_window_bits == WINDOW_BITS:
                return _agreed(build_extension([(FACTORY.name, answer)]), extension.remote_max_window_bits)
    return None


@cache  # as many as there are answers: two for each size of a window
def _agreed(header: str, client_bits: int) -> Agreed:
    return Agreed(header, client_bits)


class Deflater:
    """Compresses whole frames, each once for all of its receivers. Shorter ones than `min_bytes` stay."""

    def __init__(self, min_bytes: int) -> None:
        self._min_bytes = min_bytes
        self._made: dict[bytes, bytes] = {}
        self._held_bytes = 0
        self.bytes_before = 0
        self.bytes_after = 0
        """Of the frames that were compressed, each counted once."""

    def frame(self, whole: bytes) -> bytes:
        """The compressed form of a frame, or itself if that is no message, or no longer."""
        if len(whole) < self._min_bytes or whole[0] not in MESSAGES:
            return whole
        made = self._made.get(whole)
        if made is None:
            made = self._made[whole] = self._compress(whole)
            self._held_bytes += len(whole) + len(made)
            if self._held_bytes > CACHE_BYTES:
                self._made.clear()
                self._held_bytes = 0
        return made

    def _compress(self, whole: bytes) -> bytes:
        start, _ = extent(whole, 0)
        # One for each message, and freed with it: 32 KiB that no socket holds.
        deflate = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=MEMORY_LEVEL)
        data = deflate.compress(whole[start:]) + deflate.flush(zlib.Z_SYNC_FLUSH)
        made = build(whole[0] | RSV1, data.removesuffix(SYNC_TAIL))
        if len(made) >= len(whole):
            return whole
        self.bytes_before += len(whole)
        self.bytes_after += len(made)
        return made
