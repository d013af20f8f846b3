"""The opening handshake of RFC 6455 from the client's side, as bytes."""

import base64
import hashlib
from typing import Final

from loadtest.failures import SwarmError

MAX_HEAD_BYTES: Final = 16 * 1024

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def request(host: str, target: str, key: bytes) -> bytes:
    """The request that asks for a socket; `key` is sixteen bytes, `target` path and query."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(key).decode()}\r\n\r\n"
    ).encode()


def check(head: bytes, key: bytes) -> None:
    """Raises SwarmError unless the answer's head (all up to the empty line) grants the socket."""
    status, *lines = head.decode("latin-1").split("\r\n")
    if status.split(" ")[1:2] != ["101"]:
        raise SwarmError(f"the server refused a socket: {status[:80]}")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    digest = hashlib.sha1(base64.b64encode(key) + _GUID, usedforsecurity=False).digest()
    if headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        raise SwarmError("the server's handshake does not answer ours")
