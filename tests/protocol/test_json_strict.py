"""The tables of what the reference takes and refuses, type by type."""

import math
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Malformed
from protocol.json_strict import parse, plan, read_object
from protocol.message import Message
from protocol.messages import (
    ChannelJoin,
    ChannelMessage,
    MatchDataSend,
    MatchJoin,
    MatchmakerAdd,
    Status,
    StatusFollow,
    StatusUpdate,
)

WIDEST = 2**63 - 1
T = TypeVar("T", bound=Message)


def decode_body(payload: bytes, message: type[T]) -> T:
    """One message by itself, with no envelope around it; unknown fields are ignored."""
    return message(**read_object(parse(payload), plan(message), lenient=True))


def op_code(text: str) -> int:
    return decode_body(b'{"op_code":' + text.encode() + b"}", MatchDataSend).op_code


def data(text: str) -> bytes:
    return decode_body(b'{"data":"' + text.encode() + b'"}', MatchDataSend).data


def double(text: str) -> float:
    body = b'{"numeric_properties":{"n":' + text.encode() + b"}}"
    return decode_body(body, MatchmakerAdd).numeric_properties["n"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20", 20),
        ('"20"', 20),
        ("-5", -5),
        ("-0", 0),
        ('"-0"', 0),
        ("2e1", 20),
        ("2E+1", 20),
        ("0.2e2", 20),
        ("1.0", 1),
        ('"1e2"', 100),
        ("100e-2", 1),
        ("100.00e-2", 1),
        ("1e00000000000000002", 100),
        ("0e99999999999999999999", 0),
        ("0.000e-99999999999999999999", 0),
        (str(WIDEST), WIDEST),
        (f'"{-WIDEST - 1}"', -WIDEST - 1),
        ("9007199254740993.0", 9007199254740993),
        ("1" + "0" * 4000 + "e-4000", 1),
        ("0.1e1", 1),
    ],
)
def test_an_integer_may_be_written_in_any_way_that_is_integral(text: str, value: int) -> None:
    assert op_code(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "1.5",
        "15e-1",
        "0.25e1",
        '" 1"',
        '"1 "',
        '"1\\n"',
        '""',
        '"+1"',
        '"01"',
        '"1_0"',
        '"0x1"',
        '"1,2"',
        '"٣"',
        '"1."',
        '".5"',
        '"1e"',
        '"null"',
        '"NaN"',
        "true",
        "[]",
        "{}",
        str(WIDEST + 1),
        f'"{-WIDEST - 2}"',
        "1e19",
        "1e400",
        "1e999999999999",
        "1e-999999999999",
        "9" * 5000,
    ],
)
def test_no_integer_is_refused_or_costs_much(text: str) -> None:
    with pytest.raises(Malformed):
        op_code(text)


@pytest.mark.parametrize("text", ["2147483648", "-2147483649", '"2147483648"', "3e9"])
def test_a_narrow_integer_has_its_own_range(text: str) -> None:
    with pytest.raises(Malformed):
        decode_body(b'{"type":' + text.encode() + b"}", ChannelJoin)


@given(st.integers(-(2**63), WIDEST), st.integers(0, 25))
def test_moving_the_point_changes_nothing(value: int, places: int) -> None:
    assert op_code(f"{value}{'0' * places}e-{places}") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b""),
        ("AAEC/w==", b"\x00\x01\x02\xff"),
        ("AAEC/w", b"\x00\x01\x02\xff"),
        ("AAEC_w==", b"\x00\x01\x02\xff"),
        ("_v8", b"\xfe\xff"),
        ("-_-_", b"\xfb\xff\xbf"),
        ("AB==", b"\x00"),
        ("AAEC\\n", b"\x00\x01\x02"),
        ("AA\\r\\nEC\\r\\n", b"\x00\x01\x02"),
        ("AA=\\n=\\n\\n\\n", b"\x00"),
    ],
)
def test_base64_is_taken_in_both_alphabets_padded_or_not(text: str, value: bytes) -> None:
    assert data(text) == value


@pytest.mark.parametrize(
    "text",
    ["*", "A", "AAAAA", "A===", "====", "AA=", "AA=A", "AA==AA==", "AAA=AAAA", "+_AA", "AA AA", "AAE\\n"],
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        data(text)


@pytest.mark.parametrize(
    "text",
    ["AAAA==\\n\\n", "AAAA=\\n\\n\\n", "AAAA====", "AA==\\n", "ÄÄÄÄ", "AA\\u0000A"],
)
def test_padding_out_of_place_and_other_letters_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        data(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("-1.5e3", -1500.0), ('"0.5"', 0.5), ('"Infinity"', math.inf), ('"-Infinity"', -math.inf)],
)
def test_a_double_is_a_number_its_text_or_a_name(text: str, value: float) -> None:
    assert double(text) == value


def test_a_double_may_be_no_number() -> None:
    assert math.isnan(double('"NaN"'))


@pytest.mark.parametrize(
    "text",
    ["1e400", '"1e400"', "NaN", "Infinity", '"inf"', '"nan"', '" 1"', '"1_0"', "null", "true", '""'],
)
def test_what_a_double_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        double(text)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf{}",
        b'{"status":"\xff"}',
        b'{"status":"\\ud800"}',
        b'{"status":"\\udc00\\ud800"}',
        b'{"status":"\x01"}',
        b'{"status":"a",}',
        b'{"status":"a"} {}',
        b'{"status":"a"}//',
        b"{'status':'a'}",
        b'{"status":1}',
        b'{"status":["a"]}',
        b'{"status":"a","status":"a"}',
        b'{"status":null,"status":"a"}',
        b"null",
        b'"status"',
        b'{"status":' + b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        decode_body(body, StatusUpdate)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", None),
        (b' {\n "status" :\t"" }\r\n', ""),
        (b'{"status":null}', None),
        (b'{"\\u0073tatus":"\\ud83d\\ude00"}', "😀"),
    ],
)
def test_white_space_null_and_escapes_are_taken(body: bytes, status: str | None) -> None:
    assert decode_body(body, StatusUpdate).status == status


def test_both_spellings_name_the_same_field() -> None:
    assert decode_body(b'{"userIds":["u"]}', StatusFollow) == StatusFollow(user_ids=("u",))
    with pytest.raises(Malformed):
        decode_body(b'{"userIds":["u"],"user_ids":["u"]}', StatusFollow)


@pytest.mark.parametrize(
    "body", [b'{"user_ids":[null]}', b'{"user_ids":[1]}', b'{"user_ids":"u"}', b'{"user_ids":{}}']
)
def test_a_list_holds_values_of_its_kind(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_body(body, StatusFollow)


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":{"a":null}}',
        b'{"metadata":{"a":1}}',
        b'{"metadata":{"a":"b","\\u0061":"c"}}',
        b'{"metadata":{"\\ud800":"b"}}',
        b'{"metadata":[]}',
    ],
)
def test_a_map_holds_each_key_once_and_texts(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_body(body, MatchJoin)


def test_one_member_of_a_oneof_may_be_set() -> None:
    assert decode_body(b'{"match_id":null,"token":""}', MatchJoin) == MatchJoin(token="")
    with pytest.raises(Malformed):
        decode_body(b'{"match_id":"","token":""}', MatchJoin)


@pytest.mark.parametrize("value", [b"1", b"0", b'"true"', b"[]"])
def test_a_bool_is_nothing_but_a_bool(value: bytes) -> None:
    with pytest.raises(Malformed):
        decode_body(b'{"reliable":' + value + b"}", MatchDataSend)


def test_unknown_fields_of_a_body_are_ignored_at_any_depth() -> None:
    body = b'{"presences":[{"user_id":"u","node":{"a":[null]}}],"else":{"a":1,"a":2}}'

    (presence,) = decode_body(body, Status).presences

    assert presence.user_id == "u"


@pytest.mark.parametrize("when", ["2026-01-02", "2026-01-02T03:04:05", "yesterday", "2026-13-02T03:04:05Z"])
def test_a_time_has_a_date_and_a_zone(when: str) -> None:
    with pytest.raises(Malformed):
        decode_body(f'{{"create_time":"{when}"}}'.encode(), ChannelMessage)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_only_value_errors_leave(body: bytes) -> None:
    try:
        found = decode_body(body, MatchDataSend)
    except ValueError:
        return
    assert isinstance(found, MatchDataSend)
