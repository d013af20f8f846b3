"""permessage-deflate: what is agreed on, what leaves compressed, and what may come."""

import random
import tracemalloc
import zlib

import pytest

from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_TEXT, build, extent
from server.transport import compression
from server.transport.compression import RSV1, SYNC_TAIL, WINDOW_BITS, Agreed, Deflater, negotiate
from tests.support.transport import Wire, masked

OURS = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"
TEXT, MORE, LAST = 0x01, 0x00, 0x80
LIMIT = 4096


def deflated(content: bytes, level: int = 9) -> bytes:
    deflate = zlib.compressobj(level, wbits=-15)
    return (deflate.compress(content) + deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(SYNC_TAIL)


def inflated(frame: bytes) -> bytes:
    start, end = extent(frame, 0)
    assert end == len(frame)
    return zlib.decompressobj(wbits=-WINDOW_BITS).decompress(frame[start:] + SYNC_TAIL)


def agreed() -> Agreed:
    found = negotiate("permessage-deflate")
    assert found is not None
    return found


# ---- the offer (RFC 7692, section 7.1)


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        ("permessage-deflate", OURS),
        ("permessage-deflate; client_max_window_bits", f"{OURS}; client_max_window_bits=12"),
        ("permessage-deflate; client_max_window_bits=10", f"{OURS}; client_max_window_bits=10"),
        ('permessage-deflate; client_max_window_bits="15"', f"{OURS}; client_max_window_bits=12"),
        ("permessage-deflate; server_no_context_takeover", OURS),
        ("permessage-deflate; server_max_window_bits=15", OURS),
        ("x-webkit-deflate-frame, permessage-deflate", OURS),
        ("permessage-deflate; unknown, permessage-deflate", OURS),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", OURS),
    ],
)
def test_the_first_offer_that_we_can_take_is_taken(offers: str, answer: str) -> None:
    found = negotiate(offers)

    assert found is not None
    assert found.header == answer


@pytest.mark.parametrize(
    "offers",
    [
        "",
        "bbf-usp-protocol",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits=12; client_max_window_bits=12",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=012",
        "permessage-deflate; client_max_window_bits=12.0",
        "permessage-deflate; server_max_window_bits=11",  # all share what is made for our window
    ],
)
def test_an_offer_that_is_wrong_or_too_narrow_is_declined(offers: str) -> None:
    assert negotiate(offers) is None


@pytest.mark.parametrize("offers", [";", "permessage-deflate;", "permessage-deflate; =1", "a b", '"x"'])
def test_a_header_that_is_none_is_an_error(offers: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        negotiate(offers)


# ---- what leaves


@pytest.mark.parametrize("first", [FIN_TEXT, FIN_BINARY])
@pytest.mark.parametrize("size", [512, 70_000])
def test_a_long_message_leaves_compressed(first: int, size: int) -> None:
    deflater = Deflater(512)
    payload = (b'{"presence":"ada"}' * size)[:size]

    sent = deflater.frame(build(first, payload))

    assert sent[0] == first | RSV1
    assert inflated(sent) == payload
    assert deflater.bytes_after < deflater.bytes_before == size + (4 if size < 65536 else 10)


@pytest.mark.parametrize(
    "whole",
    [
        build(FIN_TEXT, b"a" * 500),
        build(FIN_PING, b"a" * 125),
        build(FIN_CLOSE, (1000).to_bytes(2)),
        build(FIN_BINARY, random.Random(1).randbytes(600)),
    ],
)
def test_what_is_short_or_no_message_or_gets_no_shorter_leaves_as_it_is(whole: bytes) -> None:
    assert Deflater(512).frame(whole) is whole


def test_a_frame_is_compressed_once_for_all_who_get_it() -> None:
    deflater = Deflater(64)
    whole = build(FIN_TEXT, b"state " * 200)

    first, second = deflater.frame(whole), deflater.frame(whole)

    assert first is second
    assert deflater.bytes_before == len(whole)


def test_what_is_kept_for_other_receivers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "CACHE_BYTES", 10_000)
    deflater = Deflater(64)

    for number in range(500):
        deflater.frame(build(FIN_TEXT, b"state %d " % number * 100))
        assert sum(len(a) + len(b) for a, b in deflater._made.items()) <= 10_000


# ---- what comes (RFC 7692, section 7.2.2)


def parts_of(data: bytes, size: int) -> list[bytes]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    heads = [TEXT | RSV1, *[MORE] * (len(pieces) - 1)]
    heads[-1] |= LAST
    return [masked(head, piece) for head, piece in zip(heads, pieces, strict=True)]


@pytest.mark.parametrize("part", [1, 7, 100_000])
@pytest.mark.parametrize("content", [b"", b"a", b"Hello" * 100, b"a" * (LIMIT - 100)])
def test_a_compressed_message_is_understood_in_one_piece_and_in_many(content: bytes, part: int) -> None:
    wire = Wire(max_message_bytes=LIMIT, agreed=agreed())

    for frame in parts_of(deflated(content), part) * 2:
        wire.feed(frame)

    assert wire.listener.messages == [(content, False)] * 2


def test_a_compressed_message_at_the_limit_is_taken() -> None:
    wire = Wire(max_message_bytes=LIMIT, agreed=agreed())

    wire.feed(*parts_of(deflated(b"a" * LIMIT), LIMIT))

    assert wire.listener.messages == [(b"a" * LIMIT, False)]


@pytest.mark.parametrize("over", [1, 2, 100, 257, 258, 259, 1000, 50_000_000])
@pytest.mark.parametrize("part", [1, 5, 100_000])
def test_a_message_that_would_be_over_the_limit_is_never_inflated(over: int, part: int) -> None:
    wire = Wire(max_message_bytes=LIMIT, max_fragments=100_000, agreed=agreed())
    frames = parts_of(deflated(b"a" * (LIMIT + over))[: 3 * LIMIT], part)

    tracemalloc.start()
    for frame in frames:
        wire.feed(frame)
    wire.settle()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert wire.listener.messages == []
    assert wire.listener.closes == [(1009, "")]
    assert peak < 40 * LIMIT


@pytest.mark.parametrize(
    "frame",
    [
        masked(FIN_TEXT | RSV1, b"\xff\xff\xff"),
        masked(FIN_TEXT | RSV1 | 0x20, deflated(b"x")),
        masked(FIN_PING | RSV1, deflated(b"x")),
        masked(TEXT | RSV1, deflated(b"x")) + masked(LAST | RSV1, b""),
    ],
)
def test_what_the_extension_does_not_allow_is_a_protocol_error(frame: bytes) -> None:
    wire = Wire(agreed=agreed())

    wire.feed(frame)

    assert wire.listener.closes[0][0] == 1002


def test_without_an_agreement_a_compressed_message_is_a_protocol_error() -> None:
    wire = Wire()

    wire.feed(masked(FIN_TEXT | RSV1, deflated(b"x")))

    assert wire.listener.closes[0][0] == 1002


def test_who_has_agreed_may_send_plain_messages_too() -> None:
    wire = Wire(agreed=agreed())

    wire.feed(masked(FIN_TEXT, b"plain") + masked(FIN_TEXT | RSV1, deflated(b"small")))

    assert wire.listener.messages == [(b"plain", False), (b"small", False)]
