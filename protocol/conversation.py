"""What a connection says beside the rules: heartbeats, and which reply belongs to which request.

Clients ping about every ten seconds, so an idle player's messages are all of this kind: they are answered
from bytes, without decoding.
"""

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from protocol.envelope import Format

T = TypeVar("T")

_PING = re.compile(rb'\{(?:"cid":"([0-9A-Za-z_.-]*)",)?"ping":\{\}(?:,"cid":"([0-9A-Za-z_.-]*)")?\}')


_HEAD, _TAIL = b'{"cid":"', b'","ping":{}}'
MAX_PLAIN = 128
"""Bytes of a ping that is answered without decoding; a longer one is decoded, and answered too."""

_PROTOBUF = Format.PROTOBUF
_BINARY_PING = bytes.fromhex("820200")
_BINARY_PONG = bytes.fromhex("8a0200")
"""The members `ping` (32) and `pong` (33), without fields of their own."""


def heartbeat(payload: bytes, form: Format = Format.JSON) -> bytes | None:
    """The answer to a plainly spelt ping, or None: then decode the payload.

    Plain is `{"cid":"…","ping":{}}` in either order, or without a cid; the cid of characters that need no
    escape. In protobuf: an ASCII cid, if any, in front.
    """
    if form is _PROTOBUF:
        return _binary_heartbeat(payload)
    if payload.endswith(_TAIL) and payload.startswith(_HEAD):
        # As SDKs spell it: without the expression that knows the other ways.
        cid = payload[len(_HEAD) : -len(_TAIL)]
        if cid.isalnum():
            return b'{"cid":"%b","pong":{}}' % cid
    if len(payload) > MAX_PLAIN or (found := _PING.fullmatch(payload)) is None:
        return None
    before, behind = found.groups()
    if before is not None and behind is not None:
        return None
    if cid := before or behind:
        return b'{"cid":"%b","pong":{}}' % cid
    return b'{"pong":{}}'


def _binary_heartbeat(payload: bytes) -> bytes | None:
    if not payload.endswith(_BINARY_PING):
        return None
    before = payload[:-3]
    # A cid is its tag, one byte of length, and so many bytes.
    if before and (len(before) < 3 or before[0] != 0x0A or before[1] != len(before) - 2):
        return None
    return before + _BINARY_PONG if before.isascii() else None


class Requests(Generic[T]):
    """A client's requests that await their reply: what is kept for each comes back with its cid.

    At most `limit` are pending; beyond that the oldest is given up: `on_give_up` is called with what was kept
    for it, and `given_up` counts it.
    """

    def __init__(self, limit: int, on_give_up: Callable[[T], None]) -> None:
        self.given_up = 0
        self._limit = limit
        self._on_give_up = on_give_up
        self._last = 0
        self._pending: dict[str, T] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def open(self, kept: T) -> str:
        """The cid to send the request with."""
        if len(self._pending) >= self._limit:
            self.given_up += 1
            self._on_give_up(self._pending.pop(next(iter(self._pending))))
        self._last += 1
        cid = str(self._last)
        self._pending[cid] = kept
        return cid

    def close(self, cid: str) -> T | None:
        """What was kept for the request that this reply is for; None when none is pending under the cid."""
        return self._pending.pop(cid, None)

    def give_up(self) -> list[T]:
        """All that is pending, which will not be replied to any more."""
        pending = list(self._pending.values())
        self._pending.clear()
        return pending
