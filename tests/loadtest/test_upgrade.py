"""The client's half of the opening handshake, with the example of RFC 6455, section 1.3."""

import base64

import pytest

from loadtest import upgrade
from loadtest.failures import Refused, SwarmError

KEY = base64.b64decode("dGhlIHNhbXBsZSBub25jZQ==")
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def head(status: str = "101 Switching Protocols", accept: str = ACCEPT) -> bytes:
    return f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nsec-websocket-ACCEPT: {accept}".encode()


def test_the_request_asks_for_version_13() -> None:
    lines = upgrade.request("127.0.0.1:7350", "/ws?a=b", KEY).decode().split("\r\n")

    assert lines[0] == "GET /ws?a=b HTTP/1.1"
    assert "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" in lines
    assert "Sec-WebSocket-Version: 13" in lines
    assert lines[-2:] == ["", ""]


def test_the_right_answer_is_taken() -> None:
    upgrade.check(head(), KEY)


@pytest.mark.parametrize(
    "answer", [head("401 Unauthorized"), head("200 OK"), head(accept="no"), b"", b"nonsense", b"HTTP/1.1"]
)
def test_any_other_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(SwarmError):
        upgrade.check(answer, KEY)


def test_absurd_numbers_of_a_server_are_no_failure_of_ours() -> None:
    with pytest.raises(Refused) as caught:
        upgrade.check(head("9" * 5000) + b"\r\nRetry-After: " + b"9" * 5000, KEY)

    assert caught.value.status == 0
    assert caught.value.retry_after_s == upgrade.MAX_RETRY_S
