"""The table of frames, on a connection that echoes; and texts, on one with a player's session behind it."""

import json
from collections.abc import Callable, Iterator

import pytest

from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_TEXT, build
from tests.conformance import text
from tests.conformance.cases import CASES, LAST, MORE, TEXT, Case, Frame, in_parts
from tests.support.players import ALICE
from tests.support.seats import Table
from tests.support.transport import Wire, masked

CHOP = 997
"""Bytes at a time, as in the suite's section 1.1.8."""
OCTETS_MAX = 8192
"""Longer cases are not delivered octet by octet."""

FRAGMENTS_MAX = 64

Delivery = Callable[[Case], Iterator[bytes]]


def at_once(case: Case) -> Iterator[bytes]:
    yield b"".join(case.frames)


def frame_by_frame(case: Case) -> Iterator[bytes]:
    yield from case.frames


def octet_by_octet(case: Case) -> Iterator[bytes]:
    stream = b"".join(case.frames)
    return (stream[at : at + 1] for at in range(len(stream)))


def chopped(case: Case) -> Iterator[bytes]:
    stream = b"".join(case.frames)
    return (stream[at : at + CHOP] for at in range(0, len(stream), CHOP))


DELIVERED = [
    pytest.param(case, delivery, id=f"{case.autobahn} (RFC 6455 {case.rfc}) {delivery.__name__}")
    for case in CASES
    for delivery in (at_once, frame_by_frame, octet_by_octet, chopped)
    if delivery is not octet_by_octet or case.size <= OCTETS_MAX
]


def echoing(*, max_message_bytes: int = 1 << 20, max_fragments: int = 4096) -> Wire:
    wire = Wire(max_message_bytes=max_message_bytes, max_fragments=max_fragments)

    def echo(payload: bytes) -> None:
        binary = wire.listener.messages[-1][1]
        wire.outbox.put(build(FIN_BINARY if binary else FIN_TEXT, payload))

    wire.listener.on_message = echo
    return wire


def answers(wire: Wire) -> tuple[Frame, ...]:
    """The frames that came back; of a close only the code, since a server may say why as it likes."""
    found, stream = [], wire.transport.written
    while stream:
        length, start = stream[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(stream[2:start])
        payload = stream[start : start + length]
        found.append((stream[0], payload[:2] if stream[0] == FIN_CLOSE else payload))
        stream = stream[start + length :]
    return tuple(found)


@pytest.mark.parametrize(("case", "delivery"), DELIVERED)
def test_frames_get_their_answers_however_they_are_delivered(case: Case, delivery: Delivery) -> None:
    wire = echoing()

    wire.feed(*delivery(case))
    wire.settle()

    assert answers(wire) == case.answers
    assert bool(wire.listener.closes) == any(first == FIN_CLOSE for first, _ in case.answers)


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("limit", [512, 4096, 65535, 65536])
@pytest.mark.parametrize("part", [0, 100])
def test_a_message_over_the_limit_ends_the_connection_and_one_at_the_limit_does_not(
    limit: int, over: int, part: int
) -> None:
    wire = echoing(max_message_bytes=limit)
    payload = b"x" * (limit + over)

    wire.feed(*(in_parts(TEXT, payload, part) if part else (masked(FIN_TEXT, payload),)))
    wire.settle()

    assert answers(wire) == (((FIN_CLOSE, (1009).to_bytes(2)),) if over else ((FIN_TEXT, payload),))


@pytest.mark.parametrize("head", [b"\x81\xfe\x02\x01", b"\x82\xff" + (513).to_bytes(8), b"\x01\xfe\xff\xff"])
def test_a_length_over_the_limit_is_refused_before_its_message_comes(head: bytes) -> None:
    wire = echoing(max_message_bytes=512)

    wire.feed(*(head[at : at + 1] for at in range(len(head))))

    assert answers(wire) == ((FIN_CLOSE, (1009).to_bytes(2)),)


# ---- text (RFC 6455, section 8.1)


def said(content: bytes) -> bytes:
    """A ping whose name is this text."""
    return b'{"cid":"' + content.replace(b"\x7f", b"\\u007f") + b'","ping":{}}'


def whole(payload: bytes) -> tuple[bytes, ...]:
    return (masked(FIN_TEXT, payload),)


def in_octets(payload: bytes) -> tuple[bytes, ...]:
    """A fragment for each octet, or as few as may be, so that characters are cut as well (section 6.2.3)."""
    step = -(-len(payload) // FRAGMENTS_MAX)
    pieces = [payload[at : at + step] for at in range(0, len(payload), step)]
    heads = [TEXT, *[MORE] * (len(pieces) - 2), LAST]
    return tuple(masked(head, piece) for head, piece in zip(heads, pieces, strict=True))


@pytest.mark.parametrize("cut", [whole, in_octets])
@pytest.mark.parametrize("content", text.VALID.values(), ids=text.VALID.keys())
def test_text_in_utf_8_is_understood(content: bytes, cut: Callable[[bytes], tuple[bytes, ...]]) -> None:
    seated = Table().seat(ALICE)

    for frame in cut(said(content)):
        seated.socket.data_received(frame)

    expected = {"pong": {}, **({"cid": content.decode()} if content else {})}
    assert seated.heard() == [expected]


@pytest.mark.parametrize("cut", [whole, in_octets])
@pytest.mark.parametrize("content", text.INVALID.values(), ids=text.INVALID.keys())
def test_text_that_is_no_utf_8_ends_the_connection_at_the_end_of_its_message(
    content: bytes, cut: Callable[[bytes], tuple[bytes, ...]]
) -> None:
    seated = Table().seat(ALICE)
    *frames, last = cut(said(content))

    for frame in frames:
        seated.socket.data_received(frame)
    assert seated.heard() == []
    seated.socket.data_received(last)
    seated.socket.data_received(masked(FIN_TEXT, json.dumps({"cid": "behind", "ping": {}}).encode()))

    assert seated.heard() == []
    # The reference's code, and not 1007, which a player's client would not know.
    assert (seated.session.close_code, seated.session.close_text) == (1000, "received malformed payload")
