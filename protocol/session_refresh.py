"""The payloads of the built-in remote call `session_refresh`, by which an open socket stays signed in.

JSON objects as text. Asked with a refresh token it answers with new tokens; asked with a session token that
was had elsewhere, with the time at which the newest one ends. Unknown names are ignored, null is unset.
"""

import msgspec

from protocol.errors import ErrorCode, RequestError

NAME = "session_refresh"


class SessionRefresh(msgspec.Struct, frozen=True):
    """What a client shows: one of the two tokens. `vars` take the place of the login's own."""

    token: str | None = None
    vars: dict[str, str] | None = None
    session_token: str | None = None

    def __repr__(self) -> str:
        return "SessionRefresh(...)"  # tokens are not for logs


class Refreshed(msgspec.Struct, frozen=True):
    """The answer to a refresh token."""

    token: str
    refresh_token: str

    def __repr__(self) -> str:
        return "Refreshed(...)"


class Noted(msgspec.Struct, frozen=True):
    """The answer to a session token: Unix second at which the newest one shown on the socket ends."""

    expires_at: int


_decoder = msgspec.json.Decoder(SessionRefresh)
_encoder = msgspec.json.Encoder()


def decode_request(payload: str) -> SessionRefresh:
    """Read a payload. Raises RequestError unless it shows exactly one token, that is not empty."""
    try:
        request = _decoder.decode(payload)
    except (ValueError, RecursionError):
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid session refresh payload") from None
    if bool(request.token) == bool(request.session_token):
        raise RequestError(ErrorCode.BAD_INPUT, "Exactly one of token and session_token is required.")
    if request.session_token and request.vars:
        raise RequestError(ErrorCode.BAD_INPUT, "Session vars need a refresh token.")
    return request


def encode_answer(answer: Refreshed | Noted) -> str:
    return _encoder.encode(answer).decode()
