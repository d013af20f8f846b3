"""What must come back for which frames, by the sections of the Autobahn test suite and of RFC 6455.

The server echoes every message, as in that suite. What text means (UTF-8) is in `text.py`. Frames are here as
a client sends them, one item each; a delivery (`test_cases.py`) cuts them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT
from tests.support.transport import masked

TEXT, BINARY, MORE, LAST = 0x01, 0x02, 0x00, 0x80
"""First bytes of a message's first fragments, and of its others."""
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10

Frame = tuple[int, bytes]
"""First byte and payload; of a close, code and nothing else."""

HELLO = b"Hello, world!"
SIZES = (0, 125, 126, 127, 128, 65535, 65536)
"""Around the places where the length of a frame is written differently (RFC 6455, section 5.2)."""
PARTS = (64, 256, 1024, 4096, 16384)

VALID_CODES: tuple[int, ...] = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
VALID_CODES += (3000, 3999, 4000, 4999)
INVALID_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)


class Case(NamedTuple):
    """`autobahn` is the section of the suite, `rfc` the section of RFC 6455 that decides."""

    autobahn: str
    rfc: str
    frames: tuple[bytes, ...]
    answers: tuple[Frame, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.frames))


def closed(code: int | None) -> Frame:
    return FIN_CLOSE, b"" if code is None else code.to_bytes(2)


def close(code: int, reason: bytes = b"") -> bytes:
    return masked(FIN_CLOSE, code.to_bytes(2) + reason)


BYE = close(1000)
WRONG = (closed(1002),)


def framing() -> Iterator[Case]:
    """1.1 and 1.2: text and binary messages of one frame."""
    for section, first in (("1.1", FIN_TEXT), ("1.2", FIN_BINARY)):
        for number, size in enumerate(SIZES, 1):
            payload = b"*" * size
            yield Case(f"{section}.{number}", "5.2", (masked(first, payload),), ((first, payload),))


def pings() -> Iterator[Case]:
    """2: pings are answered with what they carry, pongs with nothing."""
    for number, payload in enumerate((b"", HELLO, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125), 1):
        yield Case(f"2.{number}", "5.5.2", (masked(FIN_PING, payload),), ((FIN_PONG, payload),))
    yield Case("2.5", "5.5", (masked(FIN_PING, b"\xfe" * 126),), WRONG)
    yield Case("2.7", "5.5.3", (masked(FIN_PONG, b""),), ())
    yield Case("2.8", "5.5.3", (masked(FIN_PONG, b"unasked"),), ())
    both = (masked(FIN_PONG, b"unasked"), masked(FIN_PING, b"asked"))
    yield Case("2.9", "5.5.3", both, ((FIN_PONG, b"asked"),))
    payloads = [b"payload-%d" % number for number in range(10)]
    yield Case(
        "2.10",
        "5.5.2",
        tuple(masked(FIN_PING, payload) for payload in payloads),
        tuple((FIN_PONG, payload) for payload in payloads),
    )
    yield Case("2 pong too long", "5.5", (masked(FIN_PONG, b"x" * 126),), WRONG)


def reserved_bits() -> Iterator[Case]:
    """3: no extension was agreed on, so that no reserved bit has a meaning."""
    hello, ping = masked(FIN_TEXT, HELLO), masked(FIN_PING, b"")
    yield Case("3.1", "5.2", (masked(FIN_TEXT | RSV3, HELLO),), WRONG)
    echoed = ((FIN_TEXT, HELLO), *WRONG)
    for number, bits in (("3.2", RSV2), ("3.3", RSV2 | RSV3), ("3.4", RSV1)):
        yield Case(number, "5.2", (hello, masked(FIN_TEXT | bits, HELLO), ping), echoed)
    yield Case("3.5", "5.2", (masked(FIN_BINARY | RSV1 | RSV3, HELLO),), WRONG)
    yield Case("3.6", "5.2", (masked(FIN_PING | RSV1 | RSV2, HELLO),), WRONG)
    yield Case("3.7", "5.2", (masked(FIN_CLOSE | RSV1 | RSV2 | RSV3, (1000).to_bytes(2)),), WRONG)
    yield Case("3 pong", "5.2", (masked(FIN_PONG | RSV1, HELLO),), WRONG)
    yield Case("3 continuation", "5.2", (masked(TEXT, b"a"), masked(LAST | RSV1, b"b")), WRONG)


def opcodes() -> Iterator[Case]:
    """4: opcodes that nobody has given a meaning."""
    hello, ping = masked(FIN_TEXT, HELLO), masked(FIN_PING, b"")
    for section, codes in (("4.1", range(3, 8)), ("4.2", range(11, 16))):
        for number, code in enumerate(codes, 1):
            yield Case(f"{section}.{number}", "5.2", (masked(0x80 | code, b""),), WRONG)
            behind = (hello, masked(0x80 | code, HELLO), ping)
            yield Case(f"{section}.{number} behind", "5.2", behind, ((FIN_TEXT, HELLO), *WRONG))
            yield Case(f"{section}.{number} fragment", "5.2", (masked(code, b"x"),), WRONG)


def fragmentation() -> Iterator[Case]:
    """5: messages in parts, with control frames between them."""
    one, two, end = masked(TEXT, b"fragment1"), masked(LAST, b"fragment2"), masked(FIN_TEXT, HELLO)
    whole, ping, pong = (FIN_TEXT, b"fragment1fragment2"), masked(FIN_PING, b"p"), (FIN_PONG, b"p")
    nothing_to_continue = masked(LAST, b"non-continuation")
    yield Case("5.1", "5.5", (masked(0x09, b"fragment1"), two), WRONG)
    yield Case("5.2", "5.5", (masked(0x0A, b"fragment1"), two), WRONG)
    yield Case("5.3", "5.4", (one, two), (whole,))
    yield Case("5.6", "5.4", (one, ping, two), (pong, whole))
    yield Case("5.6 pong", "5.4", (one, masked(FIN_PONG, b"p"), two), (whole,))
    yield Case("5.9", "5.4", (nothing_to_continue, end), WRONG)
    yield Case("5.12", "5.4", (masked(MORE, b"non-continuation"), end), WRONG)
    yield Case("5.15", "5.4", (one, two, masked(MORE, b"non-continuation"), end), (whole, *WRONG))
    yield Case("5.16", "5.4", (masked(MORE, b"fragment1"), one, two), WRONG)
    yield Case("5.17", "5.4", (nothing_to_continue, masked(TEXT, b"1"), masked(LAST, b"2")), WRONG)
    yield Case("5.18", "5.4", (one, masked(FIN_TEXT, b"fragment2")), WRONG)
    yield Case("5.18 binary", "5.4", (one, masked(FIN_BINARY, b"fragment2")), WRONG)
    yield Case("5.18 open", "5.4", (one, one), WRONG)
    parts = [b"fragment%d" % number for number in range(1, 6)]
    middle = [masked(MORE, part) for part in parts[1:4]]
    told = (one, middle[0], ping, middle[1], middle[2], ping, masked(LAST, parts[4]))
    yield Case("5.19", "5.4", told, (pong, pong, (FIN_TEXT, b"".join(parts))))
    empty = (masked(BINARY, b""), masked(MORE, b""), masked(LAST, b""))
    yield Case("5 empty", "5.4", empty, ((FIN_BINARY, b""),))
    yield Case("5 twice", "5.4", (one, two) * 2, (whole, whole))


def closing() -> Iterator[Case]:
    """7: the closing handshake, and what a close may carry."""
    hello, echoed = masked(FIN_TEXT, HELLO), (FIN_TEXT, HELLO)
    yield Case("7.1.1", "5.5.1", (hello, BYE), (echoed, closed(1000)))
    yield Case("7.1.2", "5.5.1", (BYE, BYE), (closed(1000),))
    yield Case("7.1.3", "5.5.1", (BYE, masked(FIN_PING, b"")), (closed(1000),))
    yield Case("7.1.4", "5.5.1", (BYE, hello), (closed(1000),))
    within = (masked(TEXT, b"fragment1"), BYE, masked(LAST, b"fragment2"))
    # The suite lets a server choose; ours takes a message that is never finished for an error.
    yield Case("7.1.5", "5.4", within, WRONG)
    large = b"x" * (256 * 1024)
    yield Case("7.1.6", "5.5.1", (masked(FIN_TEXT, large), BYE), ((FIN_TEXT, large), closed(1000)))
    yield Case("7.3.1", "5.5.1", (masked(FIN_CLOSE, b""),), (closed(None),))
    yield Case("7.3.2", "5.5.1", (masked(FIN_CLOSE, b"a"),), WRONG)
    yield Case("7.3.3", "5.5.1", (BYE,), (closed(1000),))
    yield Case("7.3.4", "5.5.1", (close(1000, HELLO),), (closed(1000),))
    yield Case("7.3.5", "5.5.1", (close(1000, b"*" * 123),), (closed(1000),))
    yield Case("7.3.6", "5.5", (close(1000, b"*" * 124),), WRONG)
    yield Case("7 in parts", "5.5", (masked(0x08, (1000).to_bytes(2)),), WRONG)
    yield Case("7.5.1", "7.1.6", (close(1000, "κόσμε".encode() + b"\xed\xa0\x80edited"),), (closed(1007),))
    yield Case("7.5 valid", "7.1.6", (close(1000, "κόσμε".encode()),), (closed(1000),))
    for number, code in enumerate(VALID_CODES, 1):
        yield Case(f"7.7.{number}", "7.4", (close(code),), (closed(code),))
        yield Case(f"7.7.{number} reason", "7.4", (close(code, b"why"),), (closed(code),))
    for number, code in enumerate(INVALID_CODES, 1):
        yield Case(f"7.9.{number}", "7.4", (close(code),), WRONG)
        yield Case(f"7.9.{number} reason", "7.4", (close(code, b"why"),), WRONG)


def sizes() -> Iterator[Case]:
    """9 and 10: large messages, whole and in parts. What is too large is in `test_cases.py`."""
    for section, first in (("9.1", TEXT), ("9.2", BINARY)):
        for number, kib in enumerate((64, 256, 1024), 1):
            payload = b"*" * (kib * 1024)
            whole = (masked(LAST | first, payload),)
            yield Case(f"{section}.{number}", "5.2", whole, ((LAST | first, payload),))
    for section, first in (("9.3", TEXT), ("9.4", BINARY)):
        for number, part in enumerate(PARTS, 1):
            payload = bytes(range(48, 112)) * 1024
            yield Case(
                f"{section}.{number}", "5.4", in_parts(first, payload, part), ((LAST | first, payload),)
            )
    yield Case("10.1.1", "5.4", in_parts(TEXT, b"*" * 65536, 1300), ((FIN_TEXT, b"*" * 65536),))


def masking() -> Iterator[Case]:
    """Not in the suite, whose clients always mask: a server must refuse what is not masked."""
    for first in (FIN_TEXT, FIN_BINARY, FIN_PING, FIN_PONG, FIN_CLOSE, TEXT):
        yield Case(f"unmasked {first:#x}", "5.1", (bytes((first, 0)), masked(FIN_PING, b"")), WRONG)
    yield Case("key of zeros", "5.3", (masked(FIN_TEXT, HELLO, bytes(4)),), ((FIN_TEXT, HELLO),))


def in_parts(first: int, payload: bytes, part: int) -> tuple[bytes, ...]:
    """One message in frames of so many bytes."""
    pieces = [payload[at : at + part] for at in range(0, len(payload), part)]
    heads = [first, *[MORE] * (len(pieces) - 2), LAST]
    return tuple(masked(head, piece) for head, piece in zip(heads, pieces, strict=True))


CASES = [
    case
    for section in (framing, pings, reserved_bits, opcodes, fragmentation, closing, sizes, masking)
    for case in section()
]
