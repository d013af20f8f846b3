"""JSON as the reference reads it: every spelling that it takes, and nothing that it refuses.

The rules are those of protobuf's JSON mapping: both spellings of a name, null for unset, numbers as text or
in any notation that is integral, two base64 alphabets. Slow, and the only place where a payload is refused.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args, get_origin

import msgspec

from protocol.errors import Malformed
from protocol.hints import hints
from protocol.message import Message

Convert = Callable[[Any, bool], Any]
"""(parsed value, are unknown fields ignored) -> field value. Raises `Malformed`."""


class Number(str):
    """A number as it was written, so that no digit is lost before its type is known."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object as it was written, duplicates included."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field: how its value is read, and which oneof it is part of."""

    name: str
    convert: Convert
    oneof: str = ""


def parse(payload: bytes) -> Any:
    """JSON text as values that keep what was written: `Pairs`, `Number`. Raises `Malformed`."""
    try:
        return json.loads(
            payload.decode("utf-8"),
            object_pairs_hook=Pairs,
            parse_int=Number,
            parse_float=Number,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None


def _no_constant(_name: str) -> None:
    raise Malformed("NaN and Infinity are not JSON")


def by_spelling(fields: list[FieldPlan]) -> dict[str, FieldPlan]:
    """Fields by both spellings of their name: snake_case and lowerCamelCase."""
    return {spelling: field for field in fields for spelling in (field.name, _camel(field.name))}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def read_object(tree: Any, fields: Mapping[str, FieldPlan], lenient: bool) -> dict[str, Any]:
    """The fields of one object by name. `lenient` ignores unknown ones. Raises `Malformed`.

    A field given twice is refused in any spelling; null leaves a field unset, so a null member of a oneof
    does not count as a second one.
    """
    if type(tree) is not Pairs:
        raise Malformed("not an object")
    seen: set[str] = set()
    found: dict[str, Any] = {}
    oneofs: set[str] = set()
    for key, value in tree:
        field = fields.get(key)
        if field is None:
            if lenient:
                continue
            raise Malformed("unknown field")
        if field.name in seen:
            raise Malformed("duplicate field")
        seen.add(field.name)
        if value is None:
            continue
        if field.oneof:
            if field.oneof in oneofs:
                raise Malformed("two members of a oneof")
            oneofs.add(field.oneof)
        found[field.name] = field.convert(value, lenient)
    return found


# ---- one reader per type


def read_string(value: Any, _lenient: bool) -> str:
    """A string that is whole Unicode."""
    if type(value) is not str:
        raise Malformed("not a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Malformed("half of a surrogate pair") from None
    return value


def _bool(value: Any, _lenient: bool) -> bool:
    if type(value) is not bool:
        raise Malformed("not a boolean")
    return value


_NUMBER = re.compile(r"(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?)0*(\d+))?", re.ASCII)
_MAX_DIGITS = 20
_MAX_EXPONENT_DIGITS = 7


def _integer(bits: int) -> Convert:
    bound = 1 << (bits - 1)

    def convert(value: Any, _lenient: bool) -> int:
        if type(value) not in (Number, str):
            raise Malformed("not a number")
        number = _integral(value)
        if not -bound <= number < bound:
            raise Malformed("out of range")
        return number

    return convert


def _integral(text: str) -> int:
    """The integer that a number stands for, whatever its spelling: `20`, `2e1`, `2.0`, `-0`.

    Works on the digits, so that a huge exponent costs nothing. Raises `Malformed`.
    """
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise Malformed("not a number")
    sign, whole, fraction, exponent_sign, exponent = found.groups()
    digits = whole.lstrip("0")
    fraction = (fraction or "").rstrip("0")
    if not digits and not fraction:
        return 0
    if exponent and len(exponent) > _MAX_EXPONENT_DIGITS:
        raise Malformed("not an integer of 64 bits")
    shift = int(exponent_sign + exponent) if exponent else 0
    if shift >= 0:
        if len(fraction) > shift or len(digits) + shift > _MAX_DIGITS:
            raise Malformed("not an integer of 64 bits")
        digits += fraction.ljust(shift, "0")
    else:
        cut = len(digits) + shift
        if fraction or cut < 0 or digits[cut:].strip("0"):
            raise Malformed("not an integer")
        digits = digits[:cut]
    if len(digits) > _MAX_DIGITS + 1:
        raise Malformed("not an integer of 64 bits")
    return int(f"{sign}{digits or 0}")


def _double(value: Any, _lenient: bool) -> float:
    if type(value) not in (Number, str):
        raise Malformed("not a number")
    if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if _NUMBER.fullmatch(value) is None:
        raise Malformed("not a number")
    number = float(value)
    if number in (float("inf"), float("-inf")):
        raise Malformed("out of range")
    return number


def _bytes(value: Any, lenient: bool) -> bytes:
    text = read_string(value, lenient)
    padded = len(text) % 4 == 0  # counted before line breaks are taken out, as the reference does
    if "-" in text or "_" in text:
        if "+" in text or "/" in text:
            raise Malformed("two alphabets")
        text = text.replace("-", "+").replace("_", "/")
    text = text.replace("\r", "").replace("\n", "")
    bare = text.rstrip("=") if padded else text
    if padded and len(text) != len(bare) + -len(bare) % 4:
        raise Malformed("padding out of place")
    if "=" in bare:
        raise Malformed("padding out of place")
    text = bare + "=" * (-len(bare) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("not base64") from None


def _timestamp(value: Any, lenient: bool) -> datetime:
    try:
        moment = msgspec.convert(read_string(value, lenient), datetime)
    except msgspec.ValidationError:
        raise Malformed("not a time") from None
    if moment.tzinfo is None:
        raise Malformed("a time without a zone")
    return moment


def _list_of(item: Convert) -> Convert:
    def convert(value: Any, lenient: bool) -> tuple[Any, ...]:
        if type(value) is not list:
            raise Malformed("not a list")
        return tuple(item(each, lenient) for each in value)

    return convert


def _map_of(item: Convert) -> Convert:
    def convert(value: Any, lenient: bool) -> dict[str, Any]:
        if type(value) is not Pairs:
            raise Malformed("not an object")
        found: dict[str, Any] = {}
        for key, each in value:
            if read_string(key, lenient) in found:
                raise Malformed("duplicate key")
            found[key] = item(each, lenient)
        return found

    return convert


def message_of(message: type[Message]) -> Convert:
    """Reads one class."""

    def convert(value: Any, lenient: bool) -> Message:
        return message(**read_object(value, plan(message), lenient))

    return convert


# ---- plans, derived once from the annotations

_SCALARS: Mapping[Any, Convert] = {
    str: read_string,
    bool: _bool,
    bytes: _bytes,
    float: _double,
    datetime: _timestamp,
}

_plans: dict[type[Message], dict[str, FieldPlan]] = {}


def plan(message: type[Message]) -> dict[str, FieldPlan]:
    """How a class is read, by every spelling of its fields."""
    fields = _plans.get(message)
    if fields is None:
        fields = by_spelling(
            [
                FieldPlan(name, _reads(hint.kind, hint.bits), hint.field.oneof)
                for name, hint in hints(message).items()
            ]
        )
        _plans[message] = fields
    return fields


def _reads(kind: Any, bits: int) -> Convert:
    if bits:
        return _integer(bits)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if get_origin(kind) is tuple:
        return _list_of(_reads(get_args(kind)[0], 0))
    if get_origin(kind) is dict:
        return _map_of(_reads(get_args(kind)[1], 0))
    if isinstance(kind, type) and issubclass(kind, Message):
        return message_of(kind)
    raise TypeError(f"no wire form for {kind!r}")
