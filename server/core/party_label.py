"""Labels of parties: JSON objects of bounded size that listings search field by field."""

import json
from math import isinf
from typing import Any, NoReturn

from server.core.json_errors import complaint
from server.core.query import Fields
from server.core.query_tests import Value

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


def label_fields(label: dict[str, Any]) -> Fields:
    """What queries see of a label: `label.` and the path to each value, `T` and `F` for booleans.

    Of a list, any element may satisfy a query.
    """
    found: dict[str, list[Value]] = {}
    ahead: list[tuple[str, Any]] = [("label", label)]
    while ahead:
        path, value = ahead.pop()
        if isinstance(value, dict):
            ahead += [(f"{path}.{name}", each) for name, each in value.items()]
        elif isinstance(value, list):
            ahead += [(path, each) for each in value]
        elif isinstance(value, bool):
            found.setdefault(path, []).append("T" if value else "F")
        elif value is not None:
            found.setdefault(path, []).append(value)
    return {path: values[0] if len(values) == 1 else tuple(values) for path, values in found.items()}


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
