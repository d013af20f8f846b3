"""Protobuf: the published examples, any message both ways, and a second opinion on what we write."""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import binary
from protocol.close import CloseReason
from protocol.envelope import Envelope, Format, decode, decode_server, encode
from protocol.errors import ErrorCode, ProtocolError
from protocol.message import Field, Int32, Int64, Message
from protocol.messages import (
    INCOMING,
    OUTGOING,
    MatchDataSend,
    MatchJoin,
    MatchmakerAdd,
    Ping,
    StatusUpdate,
)
from tests.support.generated import envelopes, messages
from tests.support.protobuf import PublishedEnvelope, from_json, to_json

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())["envelopes"]
ALL = [pytest.param(case, id=case["name"]) for case in VECTORS]
MEMBERS = {**INCOMING, **OUTGOING}
PING = bytes.fromhex("820200")
"""An empty field 32: the member `ping`."""


def read(payload: bytes) -> Envelope:
    return decode(payload, Format.PROTOBUF)


def write(message: Message | None, cid: str = "") -> bytes:
    return encode(Envelope(message, cid), Format.PROTOBUF)


@pytest.mark.parametrize("case", ALL)
def test_a_published_example_says_the_same_in_both_formats(case: dict[str, Any]) -> None:
    payload = bytes.fromhex(case["protobuf_hex"])

    assert decode_server(payload, Format.PROTOBUF) == decode_server(json.dumps(case["json"]).encode())


@pytest.mark.parametrize("case", ALL)
def test_a_published_example_is_written_byte_for_byte(case: dict[str, Any]) -> None:
    envelope = decode_server(json.dumps(case["json"]).encode())

    written = encode(envelope, Format.PROTOBUF)

    # Entries of a map have no order; the published ones are sorted.
    assert PublishedEnvelope.FromString(written).SerializeToString(deterministic=True) == bytes.fromhex(
        case["protobuf_hex"]
    )


@pytest.mark.parametrize(
    "case", [pytest.param(each, id=each["name"]) for each in VECTORS if each["direction"] == "c2s"]
)
def test_what_clients_send_is_taken(case: dict[str, Any]) -> None:
    assert read(bytes.fromhex(case["protobuf_hex"])) == decode(json.dumps(case["json"]).encode())


class Optional(Message, frozen=True):
    """Every scalar as a wrapper type; the published messages use three of them."""

    text: Annotated[str | None, Field(1)] = None
    truth: Annotated[bool | None, Field(2)] = None
    data: Annotated[bytes | None, Field(3)] = None
    real: Annotated[float | None, Field(4)] = None
    short: Annotated[Int32 | None, Field(5)] = None
    wide: Annotated[Int64 | None, Field(6)] = None


class Unwritable(Message, frozen=True):
    """A field that the wire has no type for."""

    parts: Annotated[complex, Field(1)] = 0j


def test_a_scalar_that_may_be_unset_is_a_wrapper() -> None:
    described = binary._describe(Optional)

    assert {field.name: field.type_name for field in described.field} == {
        "text": ".google.protobuf.StringValue",
        "truth": ".google.protobuf.BoolValue",
        "data": ".google.protobuf.BytesValue",
        "real": ".google.protobuf.DoubleValue",
        "short": ".google.protobuf.Int32Value",
        "wide": ".google.protobuf.Int64Value",
    }


def test_a_class_that_the_wire_cannot_carry_stops_the_start() -> None:
    with pytest.raises(TypeError, match="no wire form"):
        binary._describe(Unwritable)


@pytest.mark.parametrize("name", sorted(MEMBERS))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_message_comes_back_from_either_format(name: str, data: st.DataObject) -> None:
    envelope = Envelope(data.draw(messages(MEMBERS[name])), data.draw(st.text(max_size=4)))

    for form in Format:
        assert decode_server(encode(envelope, form), form) == envelope


@given(envelopes())
def test_the_official_runtime_reads_what_we_write_as_our_json_says(envelope: Envelope) -> None:
    # Through the runtime's own JSON mapping, since that is how the reference turns one into the other.
    said = json.loads(encode(envelope, Format.JSON))

    assert PublishedEnvelope.FromString(encode(envelope, Format.PROTOBUF)) == PublishedEnvelope.FromString(
        from_json(said)
    )


@given(envelopes(dict(INCOMING)))
def test_what_the_official_runtime_writes_we_read(envelope: Envelope) -> None:
    tree = to_json(encode(envelope, Format.PROTOBUF))

    assert read(from_json(tree)) == envelope


@pytest.mark.parametrize(
    "payload", [b"", b"\x0a\x00", bytes.fromhex("0a0138"), bytes.fromhex("0a0138f80701")]
)
def test_an_envelope_without_a_known_message_is_answered_then_closed(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        read(payload)

    error = refused.value
    assert (error.reason, error.code) == (CloseReason.UNPROCESSABLE, ErrorCode.MISSING_PAYLOAD)
    assert (error.message, error.cid) == ("Missing message.", "8" if len(payload) > 2 else "")


@pytest.mark.parametrize("name", sorted(OUTGOING.keys() - INCOMING.keys()))
def test_what_only_servers_send_is_answered_then_closed(name: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        read(write(MEMBERS[name](), "9"))

    error = refused.value
    assert (error.reason, error.code) == (CloseReason.UNPROCESSABLE, ErrorCode.UNRECOGNIZED_PAYLOAD)
    assert (error.message, error.cid) == ("Unrecognized message.", "9")


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"cid":"1","ping":{}}',
        b"\x0a",
        b"\x0a\x05a",
        b"\x0a\x01\xff" + PING,
        b"\x00\x00",
        b"\x82\x02\x01",
        b"\x82\x02" + b"\xff" * 10,
        b"\x0c",
        bytes.fromhex("6a030a01ff"),
        bytes.fromhex("8201071a050a01ff1200"),
        b"\x9b\x06" * 200,
        b"\x9b\x06" * 2000 + b"\x9c\x06" * 2000 + PING,
    ],
)
def test_what_does_not_decode_is_malformed(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        read(payload)

    assert (refused.value.reason, refused.value.code) == (CloseReason.MALFORMED, None)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("payload", "envelope"),
    [
        pytest.param(PING + b"\xf8\x07\x01", Envelope(Ping()), id="a field that is not known"),
        pytest.param(b"\x82\x02\x02\x08\x01", Envelope(Ping()), id="a field that is not known, within"),
        pytest.param(b"\x08\x01" + PING, Envelope(Ping()), id="a number where a text belongs"),
        pytest.param(b"\x0a\x011\x0a\x012" + PING, Envelope(Ping(), "2"), id="a cid given twice"),
        pytest.param(b"\x8a\x02\x00" + PING, Envelope(Ping()), id="two members: the last"),
        pytest.param(PING + b"\x0a\x011", Envelope(Ping(), "1"), id="the cid behind the message"),
        pytest.param(
            b"\x82\x01\x06\x0a\x01m\x12\x01t", Envelope(MatchJoin(token="t")), id="two choices: the last"
        ),
        pytest.param(
            b"\x7a\x02\x28\x01\x7a\x02\x10\x07",
            Envelope(MatchDataSend(op_code=7, reliable=True)),
            id="a member in two parts: merged",
        ),
        pytest.param(
            b"\x7a\x0b\x10" + b"\xff" * 9 + b"\x01",
            Envelope(MatchDataSend(op_code=-1)),
            id="a negative number",
        ),
        pytest.param(
            b"\x9a\x01\x06\x08\x82\x80\x80\x80\x10",
            Envelope(MatchmakerAdd(min_count=2)),
            id="an int32 of more bits is cut",
        ),
        pytest.param(b"\xea\x01\x02\x0a\x00", Envelope(StatusUpdate(status="")), id="a wrapped zero"),
        pytest.param(b"\xea\x01\x00", Envelope(StatusUpdate()), id="no wrapper"),
    ],
)
def test_the_rules_of_protobuf_hold_where_json_is_stricter(payload: bytes, envelope: Envelope) -> None:
    assert read(payload) == envelope


def test_zeros_are_left_out() -> None:
    assert write(MatchDataSend(op_code=0, data=b"", reliable=False)) == b"\x7a\x00"
    assert write(None) == b""


def test_a_client_refuses_a_time_that_no_calendar_has() -> None:
    # notifications, its first notification, create_time, seconds: the largest there are
    payload = b"\xba\x01\x0e\x0a\x0c\x32\x0a\x08" + b"\xff" * 8 + b"\x7f"

    with pytest.raises(ValueError):
        decode_server(payload, Format.PROTOBUF)


@pytest.mark.parametrize("payload", [b"\xff", b"\x0a\x01\xff"])
def test_a_client_refuses_what_is_no_envelope(payload: bytes) -> None:
    with pytest.raises(ValueError):
        decode_server(payload, Format.PROTOBUF)
