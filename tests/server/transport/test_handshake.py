"""The opening handshake: what is one, and what is not."""

import pytest
from multidict import CIMultiDict

from server.transport.handshake import accept

GOOD = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_the_example_of_the_rfc_is_accepted_with_its_answer() -> None:
    answer = accept(CIMultiDict(GOOD))

    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" in answer


def test_the_chosen_subprotocol_is_told() -> None:
    answer = accept(CIMultiDict(GOOD), "game.v1")

    assert answer is not None
    head, line, behind = answer.partition(b"\r\nSec-WebSocket-Protocol: game.v1\r\n\r\n")
    assert head + line + behind == answer
    assert (line != b"", behind) == (True, b"")


@pytest.mark.parametrize("name", GOOD)
def test_each_header_is_needed(name: str) -> None:
    headers = CIMultiDict(GOOD)
    del headers[name]

    assert accept(headers) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Connection", "close"),
        ("Connection", "notupgrade"),
        ("Upgrade", "h2c"),
        ("Sec-WebSocket-Version", "12"),
        ("Sec-WebSocket-Version", "8, 13"),
        ("Sec-WebSocket-Key", "c2hvcnQ="),
        ("Sec-WebSocket-Key", "not base64 at all!"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"),
    ],
)
def test_a_header_that_says_something_else_is_refused(name: str, value: str) -> None:
    assert accept(CIMultiDict({**GOOD, name: value})) is None


def test_the_extension_that_was_agreed_on_is_told() -> None:
    answer = accept(CIMultiDict(GOOD), "game.v1", "permessage-deflate; server_no_context_takeover")

    assert answer is not None
    assert b"\r\nSec-WebSocket-Protocol: game.v1\r\n" in answer
    assert answer.endswith(
        b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n"
    )
