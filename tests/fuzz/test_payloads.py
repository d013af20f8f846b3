"""Spoiled and random payloads in both formats: only documented errors leave, and nothing costs much.

One round in `make test`; `make fuzz` goes on for LOCKGATE_FUZZ_S seconds.
"""

import json
import os
import tracemalloc
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from protocol.close import CloseReason
from protocol.conversation import heartbeat
from protocol.envelope import Envelope, Format, decode, decode_server, encode
from protocol.errors import ProtocolError
from protocol.messages import Pong
from server.clock import SystemClock
from tests.support.generated import envelopes
from tests.support.protobuf import PublishedEnvelope

FUZZ_S = float(os.environ.get("LOCKGATE_FUZZ_S", "0"))
ROUND = 400
MESSAGE_BYTES = 4096
"""`socket.max_message_bytes`, by default: nothing longer reaches the decoder."""
MEMORY_BYTES = 2 << 20

VECTORS = json.loads((Path(__file__).parents[1] / "protocol" / "vectors.json").read_text())["envelopes"]
CORPUS = {
    Format.JSON: [json.dumps(case["json"]).encode() for case in VECTORS],
    Format.PROTOBUF: [bytes.fromhex(case["protobuf_hex"]) for case in VECTORS],
}


@st.composite
def spoiled(draw: st.DrawFn, form: Format) -> bytes:
    """A good payload with bytes changed, cut out, put in or repeated; at times nothing but noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=64))
    good = st.sampled_from(CORPUS[form]) | envelopes().map(lambda envelope: encode(envelope, form))
    data = bytearray(draw(good))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 12))
        match draw(st.sampled_from(["change", "cut", "put", "repeat"])):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[at : at + length]
            case "put":
                data[at:at] = draw(st.binary(max_size=12))
            case _:
                data[at:at] = data[at : at + length]
    return bytes(data)


def taken(payload: bytes, form: Format) -> Envelope | None:
    """What the decoder makes of a payload; anything but `ProtocolError` leaves, and is a fault."""
    try:
        return decode(payload, form)
    except ProtocolError as error:
        refused = error
    assert refused.reason is (CloseReason.MALFORMED if refused.code is None else CloseReason.UNPROCESSABLE)
    return None


def attack(form: Format) -> None:
    """One round."""

    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(payload=spoiled(form))
    def spoil(payload: bytes) -> None:
        envelope = taken(payload, form)
        if envelope is not None:
            # What was taken can be said in either format, and is then taken again.
            for other in Format:
                assert decode(encode(envelope, other), other) == envelope or holds_nan(envelope)
        if (answer := heartbeat(payload, form)) is not None:
            assert envelope is not None
            assert decode_server(answer, form) == Envelope(Pong(), envelope.cid)
        if form is Format.PROTOBUF:
            assert is_readable(payload) or envelope is None
        try:
            decode_server(payload, form)
        except ValueError:
            assert envelope is None

    spoil()


def holds_nan(envelope: Envelope) -> bool:
    """NaN equals nothing, itself included."""
    return "nan" in repr(envelope)


def is_readable(payload: bytes) -> bool:
    """Whether the runtime reads it with the published descriptors."""
    try:
        PublishedEnvelope.FromString(payload)
    except DecodeError:
        return False
    return True


@pytest.mark.parametrize("form", Format)
def test_no_payload_gets_anything_but_a_documented_answer(form: Format) -> None:
    clock = SystemClock()
    until = clock.monotonic() + FUZZ_S / len(Format)

    attack(form)
    while clock.monotonic() < until:
        attack(form)


def filled(head: bytes, part: bytes) -> bytes:
    """As many parts as go into one member of the greatest message."""
    body = part * ((MESSAGE_BYTES - len(head) - 2) // len(part))
    return head + bytes((len(body) & 0x7F | 0x80, len(body) >> 7)) + body


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(filled(b"\x7a", b"\x22\x00"), id="match_data_send of empty presences"),
        pytest.param(filled(b"\x7a", b"\x22\x02\x2a\x00"), id="presences with an empty status"),
        pytest.param(filled(b"\x9a\x01", b"\x22\x00"), id="matchmaker_add of empty properties"),
        pytest.param(filled(b"\xd2\x01", b"\x0a\x00"), id="status_follow of empty ids"),
        pytest.param(filled(b"\x7a", b"\x9b\x06" * 90 + b"\x9c\x06" * 90), id="groups within groups"),
        pytest.param(b"\x82\x02\x00" * (MESSAGE_BYTES // 3), id="the same member again and again"),
        pytest.param(b"\x82\x02\x00\x8a\x02\x00" * (MESSAGE_BYTES // 6), id="two members in turn"),
        pytest.param(b"\xf8\x07\x01" * (MESSAGE_BYTES // 3), id="fields that are not known"),
    ],
)
def test_the_greatest_message_costs_little_memory_whatever_is_in_it(payload: bytes) -> None:
    assert len(payload) <= MESSAGE_BYTES
    taken(payload, Format.PROTOBUF)  # what is made once is not counted

    tracemalloc.start()
    try:
        taken(payload, Format.PROTOBUF)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < MEMORY_BYTES
