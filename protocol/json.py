"""Messages as JSON: the reference's mapping, as strict as the reference reads it.

Reading here takes the plain spelling that SDKs write and nothing else; whatever it does not take goes to
`json_strict.py`, which knows every spelling and alone refuses. Envelopes are `envelope.py`'s business.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args, get_origin

import msgspec
import orjson

from protocol.hints import hints, messages_in
from protocol.message import Message

_MAX_INTEGER_TEXT = 20

# ---- writing


class Writer(NamedTuple):
    """How a class is written."""

    texts: tuple[str, ...]
    """Fields whose integers are text."""
    zeros: tuple[str, ...]
    """Fields that are left out when zero, even if that zero is the member of an enum."""
    doubles: bool
    """Whether there may be numbers in it that JSON has no number for."""


def to_tree(message: Message) -> dict[str, Any]:
    """The plain values of a message: zeros left out, 64-bit integers as text, bytes as base64."""
    tree: dict[str, Any] = msgspec.to_builtins(message)
    writer = _writer(type(message))
    for name in writer.zeros:
        if tree.get(name) == 0:
            del tree[name]
    for name in writer.texts:
        if name in tree:
            tree[name] = str(tree[name])
    return _spell_doubles(tree) if writer.doubles else tree


def _spell_doubles(value: Any) -> Any:
    # The mapping has names for the values that JSON lacks; left alone they would come out as null.
    if type(value) is dict:
        return {key: _spell_doubles(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_spell_doubles(item) for item in value]
    if type(value) is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def dump(tree: dict[str, Any]) -> bytes:
    """JSON text of plain values."""
    return orjson.dumps(tree)


# ---- reading


class Reader(NamedTuple):
    """How a class is read fast: its integer fields, its oneof, and the fields that may hold objects."""

    message: type[Message]
    integers: tuple[str, ...]
    oneof: tuple[str, ...]
    nested: tuple[str, ...]


def load_fast(
    payload: bytes, readers: Mapping[str, Reader], *, trusted: bool = False
) -> tuple[str, Message] | None:
    """The cid and message of a plainly spelt envelope, or None: then ask `json_strict`.

    Duplicate names cannot hide here: the text has as many colons as entries were read, and as the kept texts
    hold, none of which is escaped and so could stand in for a dropped one. A trusted peer is not checked.
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
    if not trusted:
        entries += len(body)
        for nested in reader.nested:
            if value := body.get(nested):
                entries += _entries(value)
        colons = payload.count(b":") - entries
        if colons and (reader.nested or b"\\u003" in payload or colons != _colons_in_texts(cid, body)):
            return None
    if reader.oneof and sum(body.get(name) is not None for name in reader.oneof) > 1:
        return None
    if not _plain_integers(body, reader.integers):
        return None
    try:
        return cid, msgspec.convert(body, reader.message)
    except msgspec.ValidationError:
        return None


def _colons_in_texts(cid: str, body: dict[str, Any]) -> int:
    return cid.count(":") + sum(value.count(":") for value in body.values() if type(value) is str)


def _plain_integers(body: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Turn integers written as canonical text into numbers. False if one is written in any other way."""
    for name in names:
        value = body.get(name)
        if type(value) is str:
            number = _canonical(value)
            if number is None:
                return False
            body[name] = number
        elif value is not None and type(value) is not int:
            return False
    return True


def _canonical(text: str) -> int | None:
    if len(text) > _MAX_INTEGER_TEXT:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None


def _entries(value: Any) -> int:
    kind = type(value)
    if kind is dict:
        return len(value) + sum(map(_entries, value.values()))
    return sum(map(_entries, value)) if kind is list else 0


# ---- plans, derived once from the annotations

_writers: dict[type[Message], Writer] = {}


def _writer(message: type[Message]) -> Writer:
    writer = _writers.get(message)
    if writer is None:
        fields = hints(message)
        defaults = dict(zip(message.__struct_fields__, message.__struct_defaults__, strict=True))
        inner = [_writer(part) for hint in fields.values() for part in messages_in(hint.kind)]
        writer = Writer(
            tuple(name for name, hint in fields.items() if hint.bits == 64),
            tuple(name for name, hint in fields.items() if hint.bits == 32 and defaults[name] == 0),
            any(float in (hint.kind, *get_args(hint.kind)) for hint in fields.values())
            or any(part.doubles for part in inner),
        )
        if any(part.texts for part in inner):
            raise TypeError(f"{message.__name__}: 64-bit integers below the first level have no plan")
        _writers[message] = writer
    return writer


def reader(message: type[Message]) -> Reader:
    """The fast plan of a class."""
    fields = hints(message)
    plain = tuple(name for name, hint in fields.items() if hint.bits)
    oneof = tuple(name for name, hint in fields.items() if hint.field.oneof)
    nested = tuple(
        name for name, hint in fields.items() if get_origin(hint.kind) is dict or messages_in(hint.kind)
    )
    return Reader(message, plain, oneof, nested)
