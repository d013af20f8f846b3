"""What a request says, read as the reference's gateway reads it (JSON mapping of protobuf, query, headers).

Unknown fields are ignored, both spellings of a key are taken, `null` is unset, wrong types are refused.
Refusals name our field, never the caller's value, except for a bool or a number in the query.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from server.identity import strict_json
from server.web.errors import Code, Failure

MAX_BODY = 262_144
MAX_DEPTH = 64
MAX_QUOTED = 64
MAX_INT32 = 2**31 - 1

TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


async def body_object(request: web.Request) -> dict[str, Any]:
    """The JSON object of the body, whatever its content type; an empty body is an empty object."""
    try:
        raw = await request.read()
    except (web.RequestPayloadError, ConnectionError):  # badly coded, or the peer went away
        raise _invalid("Bad Request") from None
    if len(raw) > MAX_BODY:
        raise _invalid("http: request body too large")
    if not raw.strip():
        return {}
    try:
        value = strict_json.loads(raw, max_depth=MAX_DEPTH)
    except strict_json.NotStrict as error:
        raise _invalid(_syntax_error(error)) from None
    if not isinstance(value, dict):
        raise _invalid(f"proto: syntax error (line 1:1): unexpected token {raw.strip()[:1].decode()}")
    return value


def field(body: Mapping[str, Any], name: str) -> Any:
    """The value of a field by its proto or its camel-case name; None if unset."""
    first, *rest = name.split("_")
    camel = first + "".join(part.capitalize() for part in rest)
    if camel != name and name in body and camel in body:
        raise _invalid(f'proto: duplicate field "{name}"')
    return body.get(name, body.get(camel))


def text(body: Mapping[str, Any], name: str) -> str:
    """A string field, empty if unset."""
    value = field(body, name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid(f"proto: invalid value for string field {name}")
    return value


def text_map(body: Mapping[str, Any], name: str) -> dict[str, str]:
    """A map of strings, empty if unset."""
    value = field(body, name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _invalid(f"proto: invalid value for map field {name}")
    return value


def query_text(request: web.Request, name: str) -> str:
    """A query parameter, empty if absent. Given twice it is refused."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise _invalid(f'parsing field "{name}": too many values')
    return values[0] if values else ""


def query_bool(request: web.Request, name: str, *, default: bool) -> bool:
    """A query parameter in one of the spellings of Go's ParseBool."""
    if name not in request.query:
        return default
    value = query_text(request, name)
    if value in TRUE:
        return True
    if value in _FALSE:
        return False
    raise _not_parsed(name, "Bool", value, "invalid syntax")


def query_int(request: web.Request, name: str, *, default: int) -> int:
    """A query parameter of 32 bits, as Go's ParseInt reads it."""
    if name not in request.query:
        return default
    value = query_text(request, name)
    if not _INTEGER.fullmatch(value):
        raise _not_parsed(name, "Int", value, "invalid syntax")
    # Longer texts are out of range in any case, and dear to read.
    number = int(value) if len(value) <= MAX_QUOTED else MAX_INT32 + 1
    if not -MAX_INT32 - 1 <= number <= MAX_INT32:
        raise _not_parsed(name, "Int", value, "value out of range")
    return number


def credentials(request: web.Request, scheme: str) -> str | None:
    """What follows `scheme` in the Authorization header: None if there is no header, empty if it is another.

    The scheme is compared with its case, as the reference does.
    """
    values = request.headers.getall("Authorization", [])
    if not values:
        return None
    prefix = f"{scheme} "
    return values[0][len(prefix) :] if len(values) == 1 and values[0].startswith(prefix) else ""


def basic_username(encoded: str) -> bytes | None:
    """The user name of Basic credentials, None if they are malformed; the password is not looked at."""
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, _ = decoded.partition(b":")
    return name if colon else None


def _not_parsed(name: str, kind: str, value: str, why: str) -> Failure:
    quoted = json.dumps(value[:MAX_QUOTED], ensure_ascii=False)
    return _invalid(f'parsing field "{name}": strconv.Parse{kind}: parsing {quoted}: {why}')


def _syntax_error(error: strict_json.NotStrict) -> str:
    cause = error.__cause__
    if not isinstance(cause, json.JSONDecodeError):
        return "proto: syntax error"
    if cause.pos >= len(cause.doc.rstrip()) or cause.msg.startswith("Unterminated"):
        return "unexpected EOF"
    return f"proto: syntax error (line {cause.lineno}:{cause.colno})"


def _invalid(message: str) -> Failure:
    return Failure(Code.INVALID_ARGUMENT, message)
