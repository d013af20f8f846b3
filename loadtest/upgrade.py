"""The opening handshake of RFC 6455 from the client's side, as bytes."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from loadtest.failures import Refused, SwarmError

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_RETRY_S: Final = 86_400.0
"""No run waits longer; a server may tell any number."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def request(host: str, target: str, key: bytes) -> bytes:
    """The request that asks for a socket; `key` is sixteen bytes, `target` path and query."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(key).decode()}\r\n\r\n"
    ).encode()


def check(head: bytes, key: bytes) -> None:
    """Raises Refused unless the answer's head (all up to the empty line) grants the socket, SwarmError when
    it is no answer to our request.
    """
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    code = status.split(" ")[1:2]
    if code != ["101"]:
        number = int(code[0]) if code and len(code[0]) == 3 and code[0].isdecimal() else 0
        raise Refused(number, f"the server refused a socket: {status[:80]}", retry_after(headers))
    digest = hashlib.sha1(base64.b64encode(key) + _GUID, usedforsecurity=False).digest()
    if headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        raise SwarmError("the server's handshake does not answer ours")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a `Retry-After`, by lower-case names; None without one, or when it is a date."""
    text = headers.get("retry-after", "")
    return min(float(text), MAX_RETRY_S) if text.isdecimal() else None
