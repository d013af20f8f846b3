"""Functions of the game over HTTP: `GET|POST /v2/rpc/{id}`, for players and for other servers.

Not the gateway's mapping: refusals have an `error` beside code and message, and with `unwrap` the bodies are
the payloads themselves.
"""

import hmac
import re

from aiohttp import web

from server.core.function import Caller, FunctionError
from server.identity import strict_json
from server.identity.tokens import Tokens
from server.web.errors import STATUS, Code, json_response
from server.web.reading import basic_username, body_bytes
from server.world import Functions

PATH = "/v2/rpc/{id:.*}"

NOT_TEXT = "json: cannot unmarshal object into Go value of type string"
PLAIN = "text/plain"
_ECHOED = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)


class _Refused(Exception):
    """The request never reached a function."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def call(
    request: web.Request, address: str, functions: Functions, tokens: Tokens, http_key: bytes
) -> web.Response:
    """Call a function as whoever the request shows to be its caller. `address` is the caller's."""
    try:
        caller = _caller(request, address, tokens, http_key)
        name = request.match_info["id"]
        if not name:
            raise _Refused(Code.INVALID_ARGUMENT, "RPC ID must be set")
        if not functions.knows(name):
            raise _Refused(Code.NOT_FOUND, "RPC function not found")
        answer = await functions.call(name, caller, await _payload(request))
    except _Refused as refused:
        told = {"error": refused.message, "message": refused.message, "code": int(refused.code)}
        return json_response(told, STATUS[refused.code])
    except FunctionError as error:
        told = {"code": error.code, "error": {}, "message": error.message}
        return json_response(told, STATUS[Code(error.code)] if error.code in STATUS else 500)
    return _unwrapped(request, answer) if "unwrap" in request.query else json_response({"payload": answer})


def _caller(request: web.Request, address: str, tokens: Tokens, http_key: bytes) -> Caller:
    """A key in the query counts before the header; Basic credentials are that key, anything else a token."""
    query = {name: tuple(request.query.getall(name)) for name in request.query if name != "http_key"}
    shown = request.query.get("http_key", "").encode(errors="replace")
    headers = request.headers.getall("Authorization", [])
    if not shown and not headers:
        raise _Refused(Code.UNAUTHENTICATED, "Auth token or HTTP key required")
    scheme, _, encoded = headers[0].partition(" ") if headers else ("", "", "")
    if not shown and scheme == "Basic":
        shown = basic_username(encoded) or b""
    if shown:
        if not hmac.compare_digest(shown, http_key):
            raise _Refused(Code.UNAUTHENTICATED, "HTTP key invalid")
        return Caller(address=address, query=query)
    claims = tokens.check_session(encoded) if scheme == "Bearer" and len(headers) == 1 else None
    if claims is None:
        raise _Refused(Code.UNAUTHENTICATED, "Auth token invalid")
    return Caller(
        user_id=claims.user_id,
        username=claims.username,
        session_vars=claims.vars,
        expires_at=claims.expires_at,
        address=address,
        query=query,
    )


async def _payload(request: web.Request) -> str:
    """The body: a JSON text that holds the payload or, with `unwrap`, the payload itself. None with GET."""
    raw = await body_bytes(request) if request.method == "POST" else b""
    try:
        if "unwrap" in request.query or not raw:
            return raw.decode()
        value = strict_json.loads(raw)
    except ValueError:
        raise _Refused(Code.INVALID_ARGUMENT, NOT_TEXT) from None
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Refused(Code.INVALID_ARGUMENT, NOT_TEXT)
    return value


def _unwrapped(request: web.Request, answer: str) -> web.Response:
    asked = request.headers.get("Content-Type", "")
    # The caller chose the type, so a browser must not find another one in the bytes.
    headers = {
        "Content-Type": asked if _ECHOED.fullmatch(asked) else PLAIN,
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=answer.encode(errors="replace"), headers=headers)
