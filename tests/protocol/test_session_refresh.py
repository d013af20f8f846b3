"""The payloads of `session_refresh`: what is understood, what is refused, and that no token is printed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ErrorCode, RequestError
from protocol.session_refresh import Noted, Refreshed, SessionRefresh, decode_request, encode_answer


@pytest.mark.parametrize(
    ("payload", "request_"),
    [
        ('{"token":"r"}', SessionRefresh(token="r")),
        ('{"token":"r","vars":{}}', SessionRefresh(token="r", vars={})),
        ('{"token":"r","vars":{"a":"1"}}', SessionRefresh(token="r", vars={"a": "1"})),
        ('{"session_token":"s"}', SessionRefresh(session_token="s")),
        ('{"session_token":"s","token":null,"vars":null}', SessionRefresh(session_token="s")),
        ('{"session_token":"s","token":""}', SessionRefresh(session_token="s", token="")),
        (' {"token":"r","later":{"x":[1]}} ', SessionRefresh(token="r")),
    ],
)
def test_one_token_is_shown(payload: str, request_: SessionRefresh) -> None:
    assert decode_request(payload) == request_


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        '"r"',
        "{}",
        '{"token":""}',
        '{"token":null}',
        '{"token":1}',
        '{"token":"r","session_token":"s"}',
        '{"session_token":"s","vars":{"a":"1"}}',
        '{"token":"r","vars":[]}',
        '{"token":"r","vars":{"a":1}}',
        '{"token":"r","vars":{"a":null}}',
        '{"token":"\\ud800"}',
        '{"token":"r"} x',
        '{"x":' * 3000,
        "{" + '"token":"r",' * 3,
    ],
)
def test_anything_else_is_bad_input_that_is_not_quoted(payload: str) -> None:
    with pytest.raises(RequestError) as refused:
        decode_request(payload)

    assert refused.value.code is ErrorCode.BAD_INPUT
    assert refused.value.message in (
        "Invalid session refresh payload",
        "Exactly one of token and session_token is required.",
        "Session vars need a refresh token.",
    )


@given(st.text())
def test_no_text_does_more_than_be_refused(payload: str) -> None:
    with pytest.raises(RequestError):
        decode_request(payload)


def test_answers_are_json_text() -> None:
    assert json.loads(encode_answer(Refreshed(token="s", refresh_token="r"))) == {
        "token": "s",
        "refresh_token": "r",
    }
    assert encode_answer(Noted(1_800_000_000)) == '{"expires_at":1800000000}'


def test_tokens_do_not_print() -> None:
    shown = decode_request('{"token":"secret"}')
    made = Refreshed(token="secret", refresh_token="secret")

    assert "secret" not in f"{shown!r} {made!r} {shown} {made}"
