"""Messages as JSON: the reference's mapping, as strict as the reference reads it.

Reading here takes the plain spelling that SDKs write and nothing else; whatever it does not take goes to
`json_strict.py`, which knows every spelling and alone refuses. Envelopes are `envelope.py`'s business.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_origin

import msgspec
import orjson

from protocol.hints import hints, messages_in
from protocol.message import Message

# ---- writing


class Writer(NamedTuple):
    """How a class is written: the fields whose integers are text."""

    texts: tuple[str, ...]


def to_tree(message: Message) -> dict[str, Any]:
    """The plain values of a message: zeros left out, 64-bit integers as text, bytes as base64."""
    tree: dict[str, Any] = msgspec.to_builtins(message)
    for name in _writer(type(message)).texts:
        if name in tree:
            tree[name] = str(tree[name])
    return tree


def dump(tree: dict[str, Any]) -> bytes:
    """JSON text of plain values."""
    return orjson.dumps(tree)


# ---- reading


class Reader(NamedTuple):
    """How a class is read fast: its integer fields, and whether objects can be nested in it."""

    message: type[Message]
    integers: tuple[str, ...]
    nests: bool


def load_fast(payload: bytes, readers: Mapping[str, Reader]) -> tuple[str, Message] | None:
    """The cid and message of a plainly spelt envelope, or None: then ask `json_strict`.

    Duplicate names cannot hide here: as many entries were read as the text has colons.
    """
    try:
        tree = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    if type(tree) is not dict:
        return None
    entries = len(tree)
    cid = tree.pop("cid", "")
    if len(tree) != 1 or type(cid) is not str:
        return None
    name, body = tree.popitem()
    reader = readers.get(name)
    if reader is None or type(body) is not dict:
        return None
    entries += len(body)
    if reader.nests:
        entries += _nested_entries(body)
    if payload.count(b":") != entries or not _plain_integers(body, reader.integers):
        return None
    try:
        return cid, msgspec.convert(body, reader.message)
    except msgspec.ValidationError:
        return None


def _plain_integers(body: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Turn integers written as canonical text into numbers. False if one is written in any other way."""
    for name in names:
        value = body.get(name)
        if type(value) is str:
            if len(value) > 20 or not (value.isascii() and value.lstrip("-").isdigit()):
                return False
            number = int(value) if value.count("-") < 2 else 0
            if str(number) != value:
                return False
            body[name] = number
        elif value is not None and type(value) is not int:
            return False
    return True


def _nested_entries(body: dict[str, Any]) -> int:
    count = 0
    for value in body.values():
        kind = type(value)
        if kind is dict:
            count += len(value) + _nested_entries(value)
        elif kind is list:
            for item in value:
                if type(item) is dict:
                    count += len(item) + _nested_entries(item)
    return count


# ---- plans, derived once from the annotations

_writers: dict[type[Message], Writer] = {}


def _writer(message: type[Message]) -> Writer:
    writer = _writers.get(message)
    if writer is None:
        fields = hints(message)
        writer = Writer(tuple(name for name, hint in fields.items() if hint.bits == 64))
        if any(_writer(part).texts for hint in fields.values() for part in messages_in(hint.kind)):
            raise TypeError(f"{message.__name__}: 64-bit integers below the first level have no plan")
        _writers[message] = writer
    return writer


def reader(message: type[Message]) -> Reader:
    """The fast plan of a class."""
    fields = hints(message)
    plain = tuple(name for name, hint in fields.items() if hint.bits)
    nests = any(get_origin(hint.kind) is dict or messages_in(hint.kind) for hint in fields.values())
    return Reader(message, plain, nests)
