"""The fast path: what it takes the strict path takes with the same value; and how messages are written."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.envelope import Envelope, _decode_slowly, decode, encode
from protocol.errors import ErrorCode, ProtocolError
from protocol.json import load_fast, reader
from protocol.messages import (
    INCOMING,
    ChannelMessage,
    Error,
    MatchData,
    MatchDataSend,
    MatchJoin,
    MatchmakerMatched,
    MatchmakerUser,
    MatchPresenceEvent,
    Pong,
    Status,
    StatusUpdate,
    UserPresence,
)

READERS = {name: reader(message) for name, message in INCOMING.items()}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["", "1", "-1", "01", "-0", "AA==", "_v8", "AAE", ":", "a:b", "\\u003a", "9" * 19]),
    st.text(max_size=4),
)
KEYS = st.sampled_from(
    ["match_id", "matchId", "op_code", "data", "presences", "reliable", "token", "metadata", "status", "type"]
) | st.sampled_from(["user_id", "username", "query", "min_count", "numeric_properties", "id", "payload"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


class Repeated(dict[str, Any]):
    """Writes its first entry once more, in front."""

    def items(self) -> Any:
        pairs = list(super().items())
        return pairs[:1] + pairs


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """Texts that are often, but not always, something that a client may send."""
    body: dict[str, Any] = draw(st.dictionaries(KEYS, VALUES, max_size=4))
    if draw(st.booleans()):
        body = Repeated(body)
    envelope: dict[str, Any] = {draw(st.sampled_from(sorted(INCOMING))): body}
    if draw(st.booleans()):
        envelope["cid"] = draw(SCALARS)
    separators = draw(st.sampled_from([(",", ":"), (" , ", " : ")]))
    text = json.dumps(envelope, separators=separators, ensure_ascii=draw(st.booleans()))
    return text.encode("utf-8", "surrogatepass")


def decode_strictly(payload: bytes) -> Envelope | None:
    try:
        return _decode_slowly(payload)
    except ValueError:
        return None


@given(envelopes())
def test_what_the_fast_path_takes_the_strict_path_takes_alike(payload: bytes) -> None:
    fast = load_fast(payload, READERS)

    if fast is not None:
        assert Envelope(fast[1], fast[0]) == decode_strictly(payload)


@given(envelopes())
def test_nothing_but_protocol_errors_leaves(payload: bytes) -> None:
    try:
        found = decode(payload)
    except ProtocolError:
        return
    assert found == decode_strictly(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"cid":"1","ping":{}}',
        b'{"match_data_send":{"match_id":"m.","op_code":"-5","data":"AAE=","presences":[]}}',
        b'{"match_data_send":{"op_code":3,"presences":[{"user_id":"u"}],"reliable":true}}',
        b'{"match_join":{"match_id":"m.","metadata":{"a":"b"}}}',
        b'{"status_update":{"status":null}}',
        b'{"cid":"a:b","rpc":{"id":"f","payload":"{\\"a\\":{\\"b\\":1}}"}}',
        b'{"channel_message_send":{"channel_id":"2...x","content":"{\\"a\\":\\":::\\"}"}}',
    ],
)
def test_the_plain_spelling_is_taken_fast(payload: bytes) -> None:
    assert load_fast(payload, READERS) is not None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"cid":"1"}',
        b'{"cid":1,"ping":{}}',
        b'{"ping":{},"pong":{}}',
        b'{"ping":{},"ping":{}}',
        b'{"cid":"1","cid":"1","ping":{}}',
        b'{"ping":null}',
        b'{"ping":[]}',
        b'{"error":{}}',
        b'{"matchLeave":{}}',
        b'{"match_leave":{"match_id":"a","match_id":"b"}}',
        b'{"match_leave":{"match_id":"a","match_id":"\\u003a"}}',
        b'{"match_leave":{"match_id":"a","match_id":"\\u003A"}}',
        b'{"match_leave":{"match_id":"a:","match_id":":"}}',
        b'{"match_leave":{"match_id":":","match_id":"a"}}',
        b'{"cid":":","cid":":","match_leave":{}}',
        b'{"match_join":{"metadata":{"a":":"}}}',
        b'{"match_join":{"match_id":"a","token":"b"}}',
        b'{"match_join":{"metadata":{"a":"b","a":"c"}}}',
        b'{"match_data_send":{"op_code":1.0}}',
        b'{"match_data_send":{"op_code":9007199254740993.0}}',
        b'{"match_data_send":{"op_code":"1.0"}}',
        b'{"match_data_send":{"op_code":true}}',
        b'{"match_data_send":{"reliable":1}}',
        b'{"match_data_send":{"data":"_v8"}}',
        b'{"match_data_send":{"presences":[{"user_id":"a","user_id":"b"}]}}',
    ],
)
def test_whatever_is_doubtful_is_left_to_the_strict_path(payload: bytes) -> None:
    assert load_fast(payload, READERS) is None


def test_a_trusted_peer_may_have_colons_in_its_texts() -> None:
    payload = b'{"match_join":{"match_id":"a:b"}}'

    assert load_fast(payload, READERS) is None
    assert load_fast(payload, READERS, trusted=True) == ("", MatchJoin(match_id="a:b"))


PLAYER = UserPresence(user_id="u", session_id="s", username="ann")


@pytest.mark.parametrize(
    ("message", "tree"),
    [
        (Pong(), {"pong": {}}),
        (Status(), {"status": {}}),
        (MatchData(match_id="m.", op_code=0, data=b""), {"match_data": {"match_id": "m."}}),
        (MatchData(op_code=2**53 + 1), {"match_data": {"op_code": "9007199254740993"}}),
        (MatchDataSend(op_code=-5, data=b"\xfe\xff"), {"match_data_send": {"op_code": "-5", "data": "/v8="}}),
        (Error(code=ErrorCode.RUNTIME_EXCEPTION, message="m"), {"error": {"message": "m"}}),
        (Error(code=ErrorCode.BAD_INPUT), {"error": {"code": 3}}),
        (StatusUpdate(status=""), {"status_update": {"status": ""}}),
        (
            ChannelMessage(code=0, persistent=False, create_time=datetime(2026, 1, 2, tzinfo=UTC)),
            {"channel_message": {"code": 0, "persistent": False, "create_time": "2026-01-02T00:00:00Z"}},
        ),
        (
            MatchPresenceEvent(joins=(PLAYER,)),
            {"match_presence_event": {"joins": [{"user_id": "u", "session_id": "s", "username": "ann"}]}},
        ),
    ],
)
def test_defaults_are_left_out_and_wrappers_are_kept(message: Any, tree: dict[str, Any]) -> None:
    assert json.loads(encode(Envelope(message))) == tree


@pytest.mark.parametrize(
    ("value", "written"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity"), (0.0, 0.0)]
)
def test_doubles_that_json_lacks_are_written_by_name(value: float, written: Any) -> None:
    message = MatchmakerMatched(users=(MatchmakerUser(numeric_properties={"n": value}),))

    tree = json.loads(encode(Envelope(message)))

    assert tree["matchmaker_matched"]["users"] == [{"numeric_properties": {"n": written}}]
