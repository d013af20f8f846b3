"""The opening handshake of RFC 6455, section 4.2: is the request one, and what answers it.

Checked here and not by the library, whose request objects cost more per connect than all the rest
(README, "Measured"). The caller says which sub-protocol is taken, and which extension (`compression.py`).
"""

import base64
import binascii
from collections.abc import Mapping

from websockets.utils import accept_key

VERSION = "13"


def accept(headers: Mapping[str, str], subprotocol: str | None = None, extension: str = "") -> bytes | None:
    """The bytes of the 101 answer, or None when this is no proper handshake.

    `headers` must look names up without regard to case. `subprotocol` is one that the client offered,
    `extension` what was agreed on with it.
    """
    chosen = "" if subprotocol is None else f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    if extension:
        chosen += f"Sec-WebSocket-Extensions: {extension}\r\n"
    key = headers.get("Sec-WebSocket-Key", "")
    if (
        not _has_token(headers.get("Connection", ""), "upgrade")
        or not _has_token(headers.get("Upgrade", ""), "websocket")
        or headers.get("Sec-WebSocket-Version", "").strip() != VERSION
        or not _is_nonce(key)
    ):
        return None
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n" + chosen.encode() + b"\r\n"
    )


def _has_token(value: str, token: str) -> bool:
    return any(part.strip().lower() == token for part in value.split(","))


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
