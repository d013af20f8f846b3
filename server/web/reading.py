"""Bodies and credentials, read as the reference's gateway reads them (JSON mapping of protobuf).

Unknown fields are ignored, both spellings of a key are taken, `null` is unset, wrong types are refused.
Refusals name our field, never the caller's value. The query is read by `parameters.py`.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from server.identity import strict_json
from server.web.coding import BadCoding, TooLarge, decode
from server.web.errors import Code, Failure

MAX_BODY = 262_144
MAX_DEPTH = 64

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,9})", re.ASCII)


async def body_bytes(request: web.Request) -> bytes:
    """The body, decoded. The limit is for what was sent."""
    try:
        raw = await request.read()
    except (web.RequestPayloadError, ConnectionError):  # badly framed, or the peer went away
        raise _invalid("Bad Request") from None
    if len(raw) > MAX_BODY:
        raise _invalid("http: request body too large")
    try:
        return decode(request.headers.get("Content-Encoding", ""), raw)
    except BadCoding:
        raise _invalid("Bad Request") from None
    except TooLarge:
        raise _invalid("http: request body too large") from None


async def body_object(request: web.Request) -> dict[str, Any]:
    """The JSON object of the body, whatever its content type; an empty body is an empty object."""
    raw = await body_bytes(request)
    if not raw.strip():
        return {}
    try:
        value = strict_json.loads(raw, max_depth=MAX_DEPTH)
    except strict_json.NotStrict as error:
        raise _invalid(_syntax_error(error)) from None
    if not isinstance(value, dict):
        raise _invalid(f"proto: syntax error (line 1:1): unexpected token {raw.strip()[:1].decode()}")
    return value


def camel_case(name: str) -> str:
    """The JSON name of a field."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def field(body: Mapping[str, Any], name: str) -> Any:
    """The value of a field by its proto or its camel-case name; None if unset."""
    camel = camel_case(name)
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


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    """A string field that may be unset (`StringValue`): absent or null is None, which is not empty."""
    return None if field(body, name) is None else text(body, name)


def text_map(body: Mapping[str, Any], name: str) -> dict[str, str]:
    """A map of strings, empty if unset."""
    value = field(body, name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise _invalid(f"proto: invalid value for map field {name}")
    return value


def messages(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A repeated field of messages, empty if unset."""
    value = field(body, name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _invalid(f"proto: invalid value for repeated field {name}")
    return value


def optional_int32(body: Mapping[str, Any], name: str) -> int | None:
    """An integer field that may be unset (`Int32Value`), as a number or as its text."""
    value = field(body, name)
    if value is None:
        return None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    # A number with a fraction of zero is an integer; true and false are numbers to Python alone.
    if isinstance(value, bool | str | list | dict) or value != int(value) or not -(2**31) <= value < 2**31:
        raise _invalid(f"proto: invalid value for int32 field {name}")
    return int(value)


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


def _syntax_error(error: strict_json.NotStrict) -> str:
    cause = error.__cause__
    if not isinstance(cause, json.JSONDecodeError):
        return "proto: syntax error"
    if cause.pos >= len(cause.doc.rstrip()) or cause.msg.startswith("Unterminated"):
        return "unexpected EOF"
    return f"proto: syntax error (line {cause.lineno}:{cause.colno})"


def _invalid(message: str) -> Failure:
    return Failure(Code.INVALID_ARGUMENT, message)
