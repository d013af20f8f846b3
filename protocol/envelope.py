"""One message and its correlation id, to and from bytes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from protocol import json, json_strict
from protocol.close import CloseReason
from protocol.errors import ErrorCode, ProtocolError
from protocol.message import Message
from protocol.messages import INCOMING, OUTGOING


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What travels: a message, or none, and the `cid` that ties a reply to its request."""

    message: Message | None
    cid: str = ""


_NAMES: dict[type[Message], str] = {message: name for name, message in {**INCOMING, **OUTGOING}.items()}


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


_FIELDS = _fields({**INCOMING, **OUTGOING})
_FROM_CLIENT = {name: json.reader(message) for name, message in INCOMING.items()}
_FROM_SERVER = {name: json.reader(message) for name, message in OUTGOING.items()}


def decode(payload: bytes) -> Envelope:
    """What a client sent. Raises `ProtocolError`; the message of the result is never None."""
    fast = json.load_fast(payload, _FROM_CLIENT)
    if fast is not None:
        return Envelope(fast[1], fast[0])
    try:
        envelope = _decode_slowly(payload)
    except json_strict.Malformed:
        raise ProtocolError(CloseReason.MALFORMED) from None
    if envelope.message is None:
        raise ProtocolError(
            CloseReason.UNPROCESSABLE, ErrorCode.MISSING_PAYLOAD, "Missing message.", envelope.cid
        )
    if type(envelope.message).from_client is None:
        raise ProtocolError(
            CloseReason.UNPROCESSABLE, ErrorCode.UNRECOGNIZED_PAYLOAD, "Unrecognized message.", envelope.cid
        )
    return envelope


def decode_server(payload: bytes) -> Envelope:
    """What a server sent; without a message if it is of a kind not known here. Raises ValueError.

    Unknown fields are ignored, so that a client outlives additions.
    """
    fast = json.load_fast(payload, _FROM_SERVER, trusted=True)
    return _decode_slowly(payload, lenient=True) if fast is None else Envelope(fast[1], fast[0])


def encode(message: Message | None, cid: str = "") -> bytes:
    """The JSON text of an envelope. Without a message it only repeats the cid."""
    tree: dict[str, Any] = {"cid": cid} if cid else {}
    if message is not None:
        tree[_NAMES[type(message)]] = json.to_tree(message)
    return json.dump(tree)


def _decode_slowly(payload: bytes, *, lenient: bool = False) -> Envelope:
    found = json_strict.read_object(json_strict.parse(payload), _FIELDS, lenient)
    cid = found.pop("cid", "")
    message = next(iter(found.values()), None)
    return Envelope(message, cid)
