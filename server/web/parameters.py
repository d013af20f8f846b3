"""The query of a request, read as the reference's gateway reads it: each parameter is a protobuf field.

Names in snake_case or lowerCamelCase; unknown ones are ignored. A scalar that is given twice, in whichever
spelling, and one that cannot be parsed are refused with a text that names the field.
"""

import json
import re

from aiohttp import web

from server.web.errors import Code, Failure
from server.web.reading import camel_case

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DECIMAL = re.compile(r"[+-]?[0-9]+", re.ASCII)
MAX_DIGITS = 20
MIN_INT32, MAX_INT32 = -(2**31), 2**31 - 1
MAX_QUOTED = 64


def repeated(request: web.BaseRequest, name: str) -> list[str]:
    """Every value of a parameter, in order within each spelling."""
    names = dict.fromkeys((name, camel_case(name)))
    return [value for each in names for value in request.query.getall(each, [])]


def scalar(request: web.BaseRequest, name: str) -> str | None:
    """The value of a parameter that may be given once; None if absent, which is not empty."""
    values = repeated(request, name)
    if len(values) > 1:
        raise Failure(Code.INVALID_ARGUMENT, f'parsing field "{name}": too many values')
    return values[0] if values else None


def boolean(request: web.BaseRequest, name: str) -> bool | None:
    """A parameter in one of the spellings of Go's ParseBool; None if absent."""
    value = scalar(request, name)
    if value is None:
        return None
    if value in TRUE:
        return True
    if value in _FALSE:
        return False
    raise _unparsable(name, "ParseBool", value, "invalid syntax")


def int32(request: web.BaseRequest, name: str) -> int | None:
    """A parameter as Go's ParseInt reads a decimal of 32 bits; None if absent."""
    value = scalar(request, name)
    if value is None:
        return None
    if _DECIMAL.fullmatch(value) is None:
        raise _unparsable(name, "ParseInt", value, "invalid syntax")
    # Cut, because Python refuses thousands of digits; what is cut is out of range before and after.
    size = int(value.lstrip("+-").lstrip("0")[:MAX_DIGITS] or "0")
    number = -size if value.startswith("-") else size
    if not MIN_INT32 <= number <= MAX_INT32:
        raise _unparsable(name, "ParseInt", value, "value out of range")
    return number


def quoted(value: str) -> str:
    """A caller's value for a text of ours: in quotes, escaped, and cut to a length that logs can take."""
    return json.dumps(value[:MAX_QUOTED], ensure_ascii=False)


def _unparsable(name: str, parser: str, value: str, why: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT, f'parsing field "{name}": strconv.{parser}: parsing {quoted(value)}: {why}'
    )
