"""One message and its correlation id, to and from bytes, in either format."""

from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from types import ModuleType
from typing import Any, Final

import msgspec

from protocol import json, json_strict
from protocol.close import CloseReason
from protocol.errors import ErrorCode, Malformed, ProtocolError
from protocol.frames import FIN_BINARY, FIN_TEXT, build
from protocol.message import Message
from protocol.messages import INCOMING, OUTGOING


class Format(IntEnum):
    """How a socket writes messages down, from its first to its last. Numbered, so that it can be an index."""

    JSON = 0
    PROTOBUF = 1


_PROTOBUF = Format.PROTOBUF  # naming a member of an enum costs a lookup that is felt here

FIRST_BYTE: Final = (FIN_TEXT, FIN_BINARY)
"""The frame that a format travels in."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What travels: a message, or none, and the `cid` that ties a reply to its request."""

    message: Message | None
    cid: str = ""


_MEMBERS = {**INCOMING, **OUTGOING}
_NAMES: dict[type[Message], str] = {message: name for name, message in _MEMBERS.items()}


def _fields(members: Mapping[str, type[Message]]) -> dict[str, json_strict.FieldPlan]:
    # In protobuf's terms the envelope is a message too: a string, and a oneof of all members.
    return json_strict.by_spelling(
        [
            json_strict.FieldPlan("cid", json_strict.read_string),
            *(
                json_strict.FieldPlan(name, json_strict.message_of(message), "message")
                for name, message in members.items()
            ),
        ]
    )


_FIELDS = _fields(_MEMBERS)
_FROM_CLIENT = {name: json.reader(message) for name, message in INCOMING.items()}
_FROM_SERVER = {name: json.reader(message) for name, message in OUTGOING.items()}


def decode(payload: bytes, form: Format = Format.JSON) -> Envelope:
    """What a client sent. Raises `ProtocolError`; the message of the result is never None."""
    if form is _PROTOBUF:
        return _decode_binary(payload)
    fast = json.load_fast(payload, _FROM_CLIENT)
    if fast is not None:
        return Envelope(fast[1], fast[0])
    try:
        envelope = _decode_slowly(payload)
    except Malformed:
        raise ProtocolError(CloseReason.MALFORMED) from None
    if envelope.message is None:
        raise _missing(envelope.cid)
    if type(envelope.message).from_client is None:
        raise _unrecognized(envelope.cid)
    return envelope


def decode_server(payload: bytes, form: Format = Format.JSON) -> Envelope:
    """What a server sent; without a message if it is of a kind not known here. Raises ValueError.

    Unknown fields are ignored, so that a client outlives additions.
    """
    if form is _PROTOBUF:
        cid, name, body = _binary().parse(payload)
        return Envelope(_binary().read(_MEMBERS[name], body) if name else None, cid)
    fast = json.load_fast(payload, _FROM_SERVER, trusted=True)
    return _decode_slowly(payload, lenient=True) if fast is None else Envelope(fast[1], fast[0])


def encode(envelope: Envelope, form: Format = Format.JSON) -> bytes:
    """What travels in one WebSocket message. Without a message it only repeats the cid."""
    message, cid = envelope.message, envelope.cid
    if form is _PROTOBUF:
        dumped: bytes = _binary().dump("" if message is None else _NAMES[type(message)], message, cid)
        return dumped
    tree: dict[str, Any] = {"cid": cid} if cid else {}
    if message is not None:
        tree[_NAMES[type(message)]] = json.to_tree(message)
    return json.dump(tree)


def frame(envelope: Envelope, form: Format) -> bytes:
    """The envelope as a whole WebSocket frame, as servers send it."""
    return build(FIRST_BYTE[form], encode(envelope, form))


def _decode_slowly(payload: bytes, *, lenient: bool = False) -> Envelope:
    found = json_strict.read_object(json_strict.parse(payload), _FIELDS, lenient)
    cid = found.pop("cid", "")
    message = next(iter(found.values()), None)
    return Envelope(message, cid)


@cache
def _binary() -> ModuleType:
    # Late: most servers only ever speak JSON, and need not hold descriptors (2.4 MiB) nor make them when they
    # start. Whoever is the first to speak protobuf waits for it, about 20 ms.
    from protocol import binary

    return binary


def _decode_binary(payload: bytes) -> Envelope:
    try:
        cid, name, body = _binary().parse(payload)
        if not name:
            raise _missing(cid)
        message = INCOMING.get(name)
        if message is None:
            raise _unrecognized(cid)
        return Envelope(_binary().read(message, body), cid)
    except Malformed:
        raise ProtocolError(CloseReason.MALFORMED) from None


def _missing(cid: str) -> ProtocolError:
    return ProtocolError(CloseReason.UNPROCESSABLE, ErrorCode.MISSING_PAYLOAD, "Missing message.", cid)


def _unrecognized(cid: str) -> ProtocolError:
    return ProtocolError(
        CloseReason.UNPROCESSABLE, ErrorCode.UNRECOGNIZED_PAYLOAD, "Unrecognized message.", cid
    )
