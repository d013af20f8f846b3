"""The connection: messages in, frames out, and how it ends."""

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from protocol.close import CloseReason
from protocol.frames import FIN_BINARY, FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, build
from server.sessions.backlog import ENTRY_BYTES
from tests.support.transport import Wire, masked

TEXT_START, BINARY_START, CONTINUATION, FIN_CONTINUATION = 0x01, 0x02, 0x00, 0x80


def close_frame(code: int, reason: str = "") -> bytes:
    return build(FIN_CLOSE, code.to_bytes(2) + reason.encode())


def test_whole_text_frames_reach_the_listener() -> None:
    wire = Wire()

    wire.feed(masked(FIN_TEXT, b"one") + masked(FIN_TEXT, b"two"))

    assert wire.listener.messages == [(b"one", False), (b"two", False)]
    assert wire.transport.written == b""


@pytest.mark.parametrize("size", [0, 125, 126, 4096])
def test_a_message_arrives_however_it_is_cut(size: int) -> None:
    wire = Wire()
    payload = bytes(random.Random(size).randbytes(size))
    stream = masked(FIN_TEXT, payload) + masked(FIN_TEXT, b"next")

    wire.feed(*(stream[at : at + 1] for at in range(len(stream))))

    assert wire.listener.messages == [(payload, False), (b"next", False)]


def test_a_ping_is_answered_with_its_payload() -> None:
    wire = Wire()

    wire.feed(masked(FIN_PING, b"are you there"))

    assert wire.transport.written == build(FIN_PONG, b"are you there")
    assert wire.listener.messages == []


def test_a_ping_between_the_fragments_of_a_message_is_answered_first() -> None:
    wire = Wire()

    wire.feed(masked(TEXT_START, b"a") + masked(FIN_PING, b"p") + masked(FIN_CONTINUATION, b"b"))

    assert wire.listener.messages == [(b"ab", False)]
    assert wire.transport.written == build(FIN_PONG, b"p")


def test_a_binary_message_is_marked_as_one() -> None:
    wire = Wire()

    wire.feed(masked(FIN_BINARY, b"x") + masked(BINARY_START, b"y") + masked(FIN_CONTINUATION, b"z"))

    assert wire.listener.messages == [(b"x", True), (b"yz", True)]


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (1001, ""), (4000, "custom")])
def test_a_close_is_echoed_with_its_code_and_no_text(code: int, reason: str) -> None:
    wire = Wire()

    wire.feed(masked(FIN_CLOSE, code.to_bytes(2) + reason.encode()))

    assert wire.transport.written == close_frame(code)
    assert wire.transport.closed
    assert wire.listener.closes == [(code, "")]


def test_a_close_without_a_code_is_echoed_empty() -> None:
    wire = Wire()

    wire.feed(masked(FIN_CLOSE, b""))

    assert wire.transport.written == build(FIN_CLOSE, b"")
    assert wire.listener.closes == [(1005, "")]


@pytest.mark.parametrize(
    "payload", [b"\x03", (999).to_bytes(2), (1004).to_bytes(2), (1006).to_bytes(2), (5000).to_bytes(2)]
)
def test_a_close_that_is_not_allowed_is_a_protocol_error(payload: bytes) -> None:
    wire = Wire()

    wire.feed(masked(FIN_CLOSE, payload))

    assert wire.listener.closes[0][0] == 1002


def test_a_message_at_the_limit_is_taken_and_one_above_closes_with_1009() -> None:
    wire = Wire(max_message_bytes=1000)

    wire.feed(masked(FIN_TEXT, b"x" * 1000), masked(FIN_TEXT, b"x" * 1001))

    assert [len(payload) for payload, _ in wire.listener.messages] == [1000]
    assert wire.transport.written == close_frame(1009)
    assert wire.listener.closes == [(1009, "")]


def test_the_head_of_a_huge_frame_is_enough_to_refuse_it() -> None:
    wire = Wire()

    wire.feed(bytes((FIN_TEXT, 0xFF)) + (1 << 40).to_bytes(8) + b"\x00" * 4)

    assert wire.transport.written == close_frame(1009)


def test_fragments_that_are_too_big_together_close_with_1009_and_no_text() -> None:
    wire = Wire(max_message_bytes=1000)

    wire.feed(masked(TEXT_START, b"x" * 600) + masked(CONTINUATION, b"x" * 401))

    assert wire.transport.written == close_frame(1009)
    assert wire.listener.messages == []


def test_fragments_beyond_their_number_close_with_1009() -> None:
    wire = Wire(max_fragments=3)

    wire.feed(masked(TEXT_START, b"") + masked(CONTINUATION, b"") * 2)
    assert wire.transport.written == b""
    wire.feed(masked(CONTINUATION, b""))

    assert wire.transport.written == close_frame(1009)


@pytest.mark.parametrize(
    "frame",
    [
        build(FIN_TEXT, b"unmasked"),
        masked(0x83, b"reserved opcode"),
        masked(0xC1, b"reserved bit"),
        masked(FIN_CONTINUATION, b"nothing to continue"),
        masked(0x09, b"fragmented ping"),
        masked(FIN_PING, b"x" * 126),
        masked(FIN_CLOSE, (1000).to_bytes(2) + b"x" * 124),
        masked(TEXT_START, b"open") + masked(FIN_TEXT, b"second"),
    ],
)
def test_a_broken_frame_is_closed_with_1002(frame: bytes) -> None:
    wire = Wire()

    wire.feed(frame)

    assert wire.transport.written[:4] == bytes((FIN_CLOSE, wire.transport.written[1])) + (1002).to_bytes(2)
    assert wire.listener.closes[0][0] == 1002
    assert wire.listener.messages == []


@pytest.mark.parametrize("head", [b"\x83\x80", b"\x81\x01", b"\x8b\xfe", b"\x81\x7e"])
def test_two_bytes_that_no_good_frame_begins_with_are_refused_at_once(head: bytes) -> None:
    wire = Wire()

    wire.feed(head)

    assert wire.listener.closes[0][0] == 1002


def test_after_a_refusal_the_peer_can_still_read_why() -> None:
    wire = Wire()

    wire.feed(build(FIN_TEXT, b"unmasked"))

    assert wire.transport.eof
    assert not wire.transport.closed  # closing with unread data would reset the connection


def test_our_close_waits_for_the_answer_and_then_ends_tcp() -> None:
    wire = Wire()

    wire.socket.close(CloseReason.MALFORMED)
    wire.turn()
    assert wire.transport.written == close_frame(1000, "received malformed payload")
    assert not wire.transport.closed
    wire.feed(masked(FIN_CLOSE, (1000).to_bytes(2)))

    assert wire.transport.closed
    assert wire.listener.closes == [(1000, "received malformed payload")]


def test_messages_behind_our_close_are_not_handed_out() -> None:
    wire = Wire()
    wire.listener.on_message = lambda _: wire.socket.close(CloseReason.MALFORMED)

    wire.feed(masked(FIN_TEXT, b"bad") + masked(FIN_TEXT, b"late") + masked(TEXT_START, b"late"))
    wire.feed(masked(FIN_CONTINUATION, b"late"))

    assert wire.listener.messages == [(b"bad", False)]


def test_an_unanswered_close_is_aborted_by_the_sweep() -> None:
    wire = Wire()
    wire.keepalive.sweep(0.0)

    wire.socket.close(CloseReason.MALFORMED)
    wire.keepalive.sweep(1.0)
    assert not wire.transport.aborted
    wire.keepalive.sweep(2.0)

    assert wire.transport.aborted


def test_what_one_turn_of_the_loop_puts_out_is_one_write() -> None:
    wire = Wire()

    for number in range(5):
        wire.outbox.put(build(FIN_TEXT, b"%d" % number))
    assert wire.transport.writes == []
    wire.turn()

    assert wire.transport.writes == [b"".join(build(FIN_TEXT, b"%d" % number) for number in range(5))]


def test_replies_and_pongs_keep_their_order() -> None:
    wire = Wire()
    wire.listener.on_message = lambda payload: wire.outbox.put(build(FIN_TEXT, payload))

    wire.feed(masked(FIN_TEXT, b"a") + masked(FIN_PING, b"b") + masked(FIN_TEXT, b"c"))

    assert wire.transport.written == build(FIN_TEXT, b"a") + build(FIN_PONG, b"b") + build(FIN_TEXT, b"c")


def test_nothing_is_written_while_the_peer_is_behind() -> None:
    wire = Wire()
    assert wire.transport.high == 1

    wire.socket.pause_writing()
    wire.outbox.put(b"later")
    wire.turn()
    assert wire.transport.writes == []
    assert wire.outbox.unsent == 5 + ENTRY_BYTES
    wire.socket.resume_writing()

    assert wire.transport.writes == [b"later"]
    assert wire.outbox.unsent == 0


def test_a_held_connection_reads_nothing_and_hands_out_nothing() -> None:
    wire = Wire()
    wire.listener.on_message = lambda _: wire.socket.hold()

    wire.feed(masked(FIN_TEXT, b"first") + masked(FIN_TEXT, b"second") + b"\x81")
    assert wire.listener.messages == [(b"first", False)]
    assert not wire.transport.reading
    wire.listener.on_message = None
    wire.socket.release()
    wire.feed(masked(FIN_TEXT, b"third")[1:])

    assert [payload for payload, _ in wire.listener.messages] == [b"first", b"second", b"third"]
    assert wire.transport.reading


def test_a_held_connection_is_not_taken_for_a_silent_one() -> None:
    wire = Wire()
    wire.socket.hold()

    for second in range(60):
        wire.keepalive.sweep(float(second))

    assert wire.listener.closes == []


def test_tcp_that_goes_without_a_close_is_1006_and_told_once() -> None:
    wire = Wire()

    wire.socket.connection_lost(None)

    assert wire.listener.closes == [(1006, "")]
    assert wire.listener.losses == 1
    assert len(wire.keepalive) == 0


# ---- against the library's own parser

MAX = 300


def reference(stream: bytes) -> tuple[list[tuple[bytes, bool]], list[tuple[int, bytes]], bool]:
    """What the library alone makes of a stream: messages, frames sent, and whether it ended."""
    library = Protocol(Side.SERVER, max_size=MAX)
    library.receive_data(stream)
    messages: list[tuple[bytes, bool]] = []
    parts: list[bytes] = []
    binary = False
    for event in library.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY):
            parts, binary = [], event.opcode is Opcode.BINARY
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts.append(bytes(event.data))
            if event.fin:
                messages.append((b"".join(parts), binary))
    return messages, sent_frames(b"".join(library.data_to_send())), library.state is not State.OPEN


def sent_frames(stream: bytes) -> list[tuple[int, bytes]]:
    """First byte and payload of each frame; of closes only the code, since our texts differ on purpose."""
    frames = []
    while stream:
        length, head = stream[1], 2
        if length == 126:
            length, head = int.from_bytes(stream[2:4]), 4
        payload = stream[head : head + length]
        frames.append((stream[0], payload[:2] if stream[0] == FIN_CLOSE else payload))
        stream = stream[head + length :]
    return frames


@st.composite
def frames(draw: Any) -> bytes:
    first = draw(
        st.sampled_from([FIN_TEXT] * 6 + [FIN_BINARY, FIN_PING, FIN_PONG, FIN_CLOSE])
        | st.sampled_from([TEXT_START, BINARY_START, CONTINUATION, FIN_CONTINUATION] * 3)
        | st.sampled_from([0x83, 0xC1, 0x09, 0x8B])
    )
    payload = draw(st.binary(max_size=20) | st.binary(min_size=120, max_size=310))
    if first == FIN_CLOSE and draw(st.booleans()):
        payload = draw(st.sampled_from([1000, 1001, 1002, 3000, 4999, 1005, 0])).to_bytes(2) + b"why"
    if draw(st.integers(0, 30)) == 0:
        return build(first, payload)
    return masked(first, payload, draw(st.binary(min_size=4, max_size=4)))


@st.composite
def cut_streams(draw: Any) -> tuple[bytes, list[bytes]]:
    stream: bytes = b"".join(draw(st.lists(frames(), max_size=12)))
    places = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return stream, [stream[start:end] for start, end in pairwise([0, *places, len(stream)])]


@settings(max_examples=600, deadline=None)
@given(cut_streams())
def test_any_stream_means_what_the_library_says_it_means(case: tuple[bytes, list[bytes]]) -> None:
    stream, chunks = case
    wire = Wire(max_message_bytes=MAX, max_fragments=1000)

    wire.feed(*chunks)

    messages, sent, ended = reference(stream)
    # The library goes on reporting data frames behind a close that the peer has sent; nobody must see them.
    assert wire.listener.messages == messages
    assert sent_frames(wire.transport.written) == sent
    assert bool(wire.listener.closes) == ended


def test_an_answer_is_written_at_once_but_never_before_what_waits() -> None:
    wire = Wire()

    wire.socket.answer(b"first")
    assert wire.transport.writes == [b"first"]
    wire.outbox.put(b"second")
    wire.socket.answer(b"third")
    wire.turn()
    assert wire.transport.writes[1:] == [b"secondthird"]
    wire.socket.pause_writing()
    wire.socket.answer(b"fourth")
    assert wire.outbox.queued == 6 + ENTRY_BYTES
    wire.socket.resume_writing()

    assert wire.transport.writes[2:] == [b"fourth"]
    assert (wire.socket.messages_out, wire.socket.bytes_out) == (4, 22)
