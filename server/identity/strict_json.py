"""JSON as RFC 8259 and I-JSON (RFC 7493) allow it, with nothing left to interpretation.

The standard parser keeps the last of duplicate names and takes NaN; two readers of one token could then
disagree about what it says. Knows nothing of tokens or keys.
"""

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 16


class NotStrict(ValueError):
    """The text is not JSON, or is JSON that two readers could understand in two ways."""


def loads(data: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """Read UTF-8 without BOM, no duplicate names, no NaN or Infinity, no lone surrogates.

    Raises `NotStrict`; a `json.JSONDecodeError` is its cause where the grammar is violated.
    """
    try:
        value = _decoder.decode(data.decode("utf-8"))
        _check(value, max_depth)
    except NotStrict:
        raise
    except (ValueError, RecursionError) as error:
        raise NotStrict(type(error).__name__) from error
    return value


def load_object(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Like `loads`, and the outermost value is an object."""
    value = loads(data, max_depth=max_depth)
    if not isinstance(value, dict):
        raise NotStrict("not an object")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrict("duplicate name")
    return found


def _constant(_text: str) -> NoReturn:
    raise NotStrict("not a number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NotStrict("number too large")
    return number


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        value.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
    elif isinstance(value, dict | list):
        if depth == 0:
            raise NotStrict("nested too deeply")
        if isinstance(value, dict):
            for name, item in value.items():
                name.encode()
                _check(item, depth - 1)
        else:
            for item in value:
                _check(item, depth - 1)


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)
