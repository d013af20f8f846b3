"""Failures as the gateway's JSON answers: `{"code": <gRPC code>, "message": <text>}`.

The only place of `web` that knows which failure is which status. A bug is answered without detail and
logged with its traceback; nothing that a caller sent is ever quoted.
"""

from collections.abc import Mapping
from enum import IntEnum

import orjson
import structlog
from aiohttp import web

from server.identity.failures import (
    Denied,
    GameFault,
    InUse,
    KeysUnavailable,
    NotAllowed,
    NotFound,
    PlayerRefused,
    RequestInvalid,
    TicketsFull,
    TokensNotKept,
    TooManyLogins,
    TooManyRefreshes,
    TryLater,
    Unauthenticated,
    Unfinished,
)
from server.runtime.objects import ObjectsRefused, Refusal
from server.storage.failures import StorageUnavailable

log = structlog.get_logger("lockgate.web")


class Code(IntEnum):
    """gRPC status codes, as the gateway's answers carry them."""

    CANCELED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


STATUS: Mapping[Code, int] = {
    Code.CANCELED: 499,
    Code.UNKNOWN: 500,
    Code.DEADLINE_EXCEEDED: 504,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.DATA_LOSS: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}

_CODES: dict[type[Denied], Code] = {
    RequestInvalid: Code.INVALID_ARGUMENT,
    Unauthenticated: Code.UNAUTHENTICATED,
    NotFound: Code.NOT_FOUND,
    PlayerRefused: Code.PERMISSION_DENIED,
    GameFault: Code.INTERNAL,
    Unfinished: Code.UNAVAILABLE,
    InUse: Code.ALREADY_EXISTS,
    NotAllowed: Code.PERMISSION_DENIED,
    TooManyLogins: Code.RESOURCE_EXHAUSTED,
    TooManyRefreshes: Code.RESOURCE_EXHAUSTED,
    TicketsFull: Code.UNAVAILABLE,
    TokensNotKept: Code.UNAVAILABLE,
    KeysUnavailable: Code.UNAVAILABLE,
}


_REFUSALS: dict[Refusal, Code] = {
    Refusal.VERSION: Code.INVALID_ARGUMENT,
    Refusal.PERMISSION: Code.INVALID_ARGUMENT,
    Refusal.INVALID: Code.INVALID_ARGUMENT,
    Refusal.FULL: Code.FAILED_PRECONDITION,
    Refusal.OWNER: Code.NOT_FOUND,  # the account went while its call was under way
}


class Failure(Exception):
    """A request is answered with this code and text."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def json_response(value: object, status: int = 200) -> web.Response:
    """A JSON answer; the content type has no charset, as the reference's."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def failed(code: Code, message: str) -> web.Response:
    """The answer to a failed request."""
    response = json_response({"code": int(code), "message": message}, STATUS[code])
    if code is Code.UNAUTHENTICATED:
        response.headers["WWW-Authenticate"] = message
    return response


def header_too_large() -> web.Response:
    """RFC 6585 section 5. The connection ends with it."""
    response = json_response({"code": 3, "message": "Request Header Fields Too Large"}, 431)
    response.force_close()
    return response


def forbidden() -> web.Response:
    """What is not in the route table."""
    return failed(Code.PERMISSION_DENIED, "Forbidden")


def answer(error: Exception) -> web.StreamResponse:
    """The answer to whatever left a handler."""
    match error:
        case Failure():
            return failed(error.code, error.message)
        case ObjectsRefused():
            return failed(_REFUSALS[error.refusal], str(error))
        case StorageUnavailable():
            return _later(failed(Code.UNAVAILABLE, error.message), error.retry_after_s)
        case TryLater():
            return _later(failed(_CODES[type(error)], error.message), error.retry_after_s)
        case Denied():
            return failed(_CODES[type(error)], error.message)
        case web.HTTPNotFound() | web.HTTPMethodNotAllowed():
            return forbidden()
        case web.HTTPRequestEntityTooLarge():
            return failed(Code.INVALID_ARGUMENT, "http: request body too large")
        case web.HTTPException():
            return failed(Code.INVALID_ARGUMENT, "Bad Request")
        case _:
            log.error("request_failed", exc_info=error)
            return failed(Code.INTERNAL, "Internal Server Error")


def _later(response: web.Response, retry_after_s: int) -> web.Response:
    response.headers["Retry-After"] = str(retry_after_s)
    return response
