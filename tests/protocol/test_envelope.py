"""The published examples, in `vectors.json` beside this file, both ways; and how each fault is told."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.close import CloseReason
from protocol.envelope import Envelope, decode, decode_server, encode
from protocol.errors import ErrorCode, ProtocolError
from protocol.messages import INCOMING, OUTGOING, MatchData, MatchJoin, Ping, Pong

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


def named(section: str, direction: str = "") -> list[Any]:
    chosen = [case for case in VECTORS[section] if not direction or case["direction"] == direction]
    return [pytest.param(case, id=case["name"]) for case in chosen]


def compact(tree: Any) -> bytes:
    return json.dumps(tree, separators=(",", ":")).encode()


@pytest.mark.parametrize("case", named("envelopes", "c2s"))
def test_what_clients_send_is_read_and_written_back(case: dict[str, Any]) -> None:
    envelope = decode(compact(case["json"]))

    assert json.loads(encode(envelope)) == case["json"]


@pytest.mark.parametrize("case", named("envelopes", "c2s"))
def test_spaces_do_not_change_what_is_read(case: dict[str, Any]) -> None:
    assert decode(json.dumps(case["json"], indent=2).encode()) == decode(compact(case["json"]))


@pytest.mark.parametrize("case", named("envelopes", "s2c"))
def test_what_servers_send_is_read_and_written_back(case: dict[str, Any]) -> None:
    envelope = decode_server(compact(case["json"]))

    assert json.loads(encode(envelope)) == case["json"]


@pytest.mark.parametrize("case", named("json_accepted"))
def test_unusual_spellings_are_taken(case: dict[str, Any]) -> None:
    envelope = decode(case["text"].encode())

    assert json.loads(encode(envelope)) == case["canonical"]


@pytest.mark.parametrize("case", named("json_rejected_close_1000"))
def test_what_the_contract_refuses_is_malformed(case: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(case["text"].encode())

    assert (refused.value.reason, refused.value.code) == (CloseReason.MALFORMED, None)


@pytest.mark.parametrize(
    "text",
    [
        '{"cid":1,"ping":{}}',
        '{"cid":"\\ud800","ping":{}}',
        '{"cid":"a\x01","ping":{}}',
        '{"cid":"1","ping":{},}',
        '{"cid":"1","cid":"1","ping":{}}',
        '{"ping":{},"ping":{}}',
        '{"ping":null,"ping":{}}',
        '{"matchJoin":{},"match_join":{}}',
        '{"match_data_send":{"presences":[null]}}',
        '{"error":{"kode":1}}',
        '{"match_data":{"op_code":1.5}}',
        '\ufeff{"ping":{}}',
    ],
)
def test_more_that_is_malformed(text: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(text.encode())

    assert refused.value.reason is CloseReason.MALFORMED


@pytest.mark.parametrize(
    ("text", "cid"),
    [("{}", ""), ('{"cid":"8"}', "8"), ('{"cid":null,"ping":null}', ""), ('{"error":null}', "")],
)
def test_an_envelope_without_a_message_is_answered_then_closed(text: str, cid: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(text.encode())

    error = refused.value
    assert (error.reason, error.code) == (CloseReason.UNPROCESSABLE, ErrorCode.MISSING_PAYLOAD)
    assert (error.message, error.cid) == ("Missing message.", cid)


@pytest.mark.parametrize("name", sorted(OUTGOING.keys() - INCOMING.keys()))
def test_what_only_servers_send_is_answered_then_closed(name: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(compact({"cid": "9", name: {}}))

    error = refused.value
    assert (error.reason, error.code) == (CloseReason.UNPROCESSABLE, ErrorCode.UNRECOGNIZED_PAYLOAD)
    assert (error.message, error.cid) == ("Unrecognized message.", "9")


def test_a_null_member_is_no_second_message() -> None:
    assert decode(b'{"pong":null,"ping":{}}') == Envelope(Ping())


def test_an_empty_choice_differs_from_none() -> None:
    assert decode(b'{"match_join":{"match_id":""}}').message == MatchJoin(match_id="")


def test_the_text_of_a_fault_does_not_repeat_the_payload() -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(b'{"match_join":{"token":"secret","x":1}}')

    assert "secret" not in repr(refused.value) + str(refused.value)
    assert refused.value.__suppress_context__


@given(st.binary(max_size=64))
def test_no_bytes_raise_anything_but_a_protocol_error(payload: bytes) -> None:
    try:
        envelope = decode(payload)
    except ProtocolError:
        return
    assert envelope.message is not None


@pytest.mark.parametrize(
    "payload", [b"[" * 200_000, b'{"ping":' * 100_000, b'{"match_join":{"metadata":' * 9000]
)
def test_deep_nesting_is_malformed(payload: bytes) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(payload)

    assert refused.value.reason is CloseReason.MALFORMED


def test_a_client_ignores_what_a_newer_server_adds() -> None:
    newer = b'{"match_data":{"match_id":"m.","op_code":"7","tick":1,"presence":{"node":"n"}}}'

    envelope = decode_server(newer)

    assert isinstance(envelope.message, MatchData)
    assert (envelope.message.match_id, envelope.message.op_code) == ("m.", 7)
    assert decode_server(b'{"cid":"1","weather":{"rain":true}}') == Envelope(None, "1")


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"pong":1}', b"\xff", b'{"cid":1,"pong":{}}'])
def test_a_client_refuses_what_is_no_envelope(payload: bytes) -> None:
    with pytest.raises(ValueError):
        decode_server(payload)


def test_an_empty_reply_repeats_the_cid() -> None:
    assert encode(Envelope(None, "7")) == b'{"cid":"7"}'
    assert encode(Envelope(None)) == b"{}"
    assert json.loads(encode(Envelope(Pong(), 'a"\\😀'))) == {"cid": 'a"\\😀', "pong": {}}


def test_who_only_speaks_json_holds_no_descriptors() -> None:
    script = (
        "import sys\n"
        "from protocol import Envelope, Format, decode, encode\n"
        "from protocol.messages import Ping\n"
        "decode(encode(Envelope(Ping(), '1')))\n"
        "print('google.protobuf' in sys.modules)\n"
        "decode(encode(Envelope(Ping(), '1'), Format.PROTOBUF), Format.PROTOBUF)\n"
        "print('google.protobuf' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)

    assert done.stdout.split() == ["False", "True"]
