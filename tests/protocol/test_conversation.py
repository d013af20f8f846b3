"""Heartbeats from bytes, and requests matched to replies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.conversation import Requests, heartbeat
from protocol.envelope import Envelope, Format, decode, encode
from protocol.errors import ProtocolError
from protocol.messages import Ping, Pong


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b'{"cid":"1","ping":{}}', b'{"cid":"1","pong":{}}'),
        (b'{"ping":{},"cid":"1"}', b'{"cid":"1","pong":{}}'),
        (b'{"ping":{}}', b'{"pong":{}}'),
        (b'{"cid":"","ping":{}}', b'{"pong":{}}'),
        (b'{"ping":{},"cid":""}', b'{"pong":{}}'),
    ],
)
def test_a_plain_ping_is_answered(payload: bytes, answer: bytes) -> None:
    assert heartbeat(payload) == answer


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b'{"cid":"1"}',
        b'{"cid":","ping":{}}',
        b'{"cid":"a"b","ping":{}}',
        b'{"cid":"\\u0031","ping":{}}',
        b'{"cid":"\x01","ping":{}}',
        b'{"cid":"\xff","ping":{}}',
        b'{"cid":1,"ping":{}}',
        b'{"cid":"1","pong":{}}',
        b'{"cid":"1","ping":{"a":1}}',
        b'{"cid":"1","ping":{}}\n',
        b'{"cid":"1","ping":{},"cid":"1"}',
        b'{"cid":"","ping":{},"cid":"1"}',
        b'{"cid":"","ping":{},"cid":""}',
        b'{"cid":"1","cid":"2","ping":{}}',
        b'{"ping":{},"ping":{}}',
        b'{"ping":{},"cid":"%b"}' % (b"x" * 128),
        b'{"cid":"","ping":{}}'[:-1],
    ],
)
def test_anything_else_is_left_to_be_decoded(payload: bytes) -> None:
    assert heartbeat(payload) is None


CIDS = st.text(max_size=8) | st.from_regex(r"[0-9A-Za-z_.-]*", fullmatch=True)
SHAPES = st.sampled_from(
    ['{"cid":%s,"ping":{}}', '{"ping":{},"cid":%s}', '{"ping":{}}%.0s', '{"cid":%s,"ping":{},"cid":"x"}']
)


@given(CIDS, SHAPES)
def test_an_answer_is_what_decoding_and_encoding_give(cid: str, shape: str) -> None:
    payload = (shape % json.dumps(cid)).encode()

    answer = heartbeat(payload)

    if answer is not None:
        envelope = decode(payload)
        assert envelope.message == Ping()
        assert json.loads(answer) == json.loads(encode(Envelope(Pong(), envelope.cid)))


@given(st.binary(max_size=12))
def test_no_bytes_inside_a_ping_are_answered_that_decoding_refuses(inside: bytes) -> None:
    payload = b'{"cid":"' + inside + b'","ping":{}}'

    answer = heartbeat(payload)

    if answer is not None:
        try:
            assert json.loads(answer).get("cid", "") == decode(payload).cid
        except ProtocolError:
            pytest.fail("answered what is refused")


@pytest.mark.parametrize(
    ("payload", "answer"),
    [("820200", "8a0200"), ("0a0131820200", "0a01318a0200"), ("0a026162820200", "0a0261628a0200")],
)
def test_a_plain_binary_ping_is_answered(payload: str, answer: str) -> None:
    assert heartbeat(bytes.fromhex(payload), Format.PROTOBUF) == bytes.fromhex(answer)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "8202",
        "8202020801",
        "8a0200",
        "0a0131",
        "0a0031820200",
        "0a00820200",
        "0a0231820200",
        "0a01ff820200",
        "0a01318202000a0131",
        "120131820200",
        "0a820200",
        "7a820200",
    ],
)
def test_any_other_binary_message_is_left_to_be_decoded(payload: str) -> None:
    assert heartbeat(bytes.fromhex(payload), Format.PROTOBUF) is None


@given(
    st.binary(max_size=9) | st.text(max_size=4).map(lambda cid: bytes((10, len(cid.encode()))) + cid.encode())
)
def test_a_binary_answer_is_what_decoding_and_encoding_give(before: bytes) -> None:
    payload = before + bytes.fromhex("820200")

    answer = heartbeat(payload, Format.PROTOBUF)

    if answer is not None:
        envelope = decode(payload, Format.PROTOBUF)
        assert envelope.message == Ping()
        assert answer == encode(Envelope(Pong(), envelope.cid), Format.PROTOBUF)


def test_requests_are_counted_from_one_and_matched_once() -> None:
    requests = Requests[str](64, pytest.fail)

    first, second = requests.open("create"), requests.open("join")

    assert (first, second) == ("1", "2")
    assert requests.close("2") == "join"
    assert requests.close("2") is None
    assert requests.close("7") is None
    assert len(requests) == 1


def test_the_oldest_request_is_given_up_at_the_limit() -> None:
    forgotten: list[str] = []
    requests = Requests[str](2, forgotten.append)

    for kept in ("a", "b"):
        requests.open(kept)
    assert (requests.given_up, forgotten) == (0, [])
    requests.open("c")

    assert (requests.given_up, forgotten) == (1, ["a"])
    assert len(requests) == 2
    assert requests.close("1") is None
    assert requests.close("2") == "b"


def test_what_is_pending_when_a_connection_ends_is_given_up_at_once() -> None:
    requests = Requests[str](64, pytest.fail)
    requests.open("a")
    requests.open("b")

    assert requests.give_up() == ["a", "b"]
    assert len(requests) == 0
    assert requests.open("c") == "3"
