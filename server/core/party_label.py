"""Labels of parties: JSON objects of bounded size, for listings to search."""

import json
from math import isinf
from typing import Any, NoReturn

from server.core.json_errors import complaint

MAX_LABEL_BYTES = 2048
_KINDS = {list: "array", str: "string", float: "number", bool: "bool", type(None): "null"}


class LabelError(Exception):
    """A text that is no label. Its own text is what clients are told."""


def read_label(text: str) -> dict[str, Any]:
    """The object that a label is; an empty text is an empty one. Numbers are floats. Raises LabelError."""
    if len(text.encode()) > MAX_LABEL_BYTES:
        raise LabelError(f"party label too long, must be 0-{MAX_LABEL_BYTES} bytes")
    try:
        value = json.loads(text or "{}", parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _not_read(complaint(error)) from None
    except RecursionError:
        raise _not_read("exceeded max depth") from None
    if not isinstance(value, dict):
        raise _not_read(_not_into(_KINDS[type(value)], "map[string]interface {}"))
    return value


def _number(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise _not_read(_not_into(f"number {text}", "float64"))
    return value


def _no_constant(name: str) -> NoReturn:
    where = "in numeric literal" if name.startswith("-") else "looking for beginning of value"
    raise _not_read(f"invalid character '{name.removeprefix('-')[0]}' {where}")


def _not_into(kind: str, target: str) -> str:
    return f"json: cannot unmarshal {kind} into Go value of type {target}"


def _not_read(why: str) -> LabelError:
    return LabelError(f"failed to unmarshal party label: {why}")
