"""Failures that cross the wire: answered (`RequestError`) or ended with a close (`ProtocolError`).

`Malformed` stays within this package: `envelope.py` makes a `ProtocolError` of it.
"""

from enum import IntEnum

from protocol.close import CloseReason


class ErrorCode(IntEnum):
    """`code` of the realtime error envelope."""

    RUNTIME_EXCEPTION = 0
    UNRECOGNIZED_PAYLOAD = 1
    MISSING_PAYLOAD = 2
    BAD_INPUT = 3
    MATCH_NOT_FOUND = 4
    MATCH_JOIN_REJECTED = 5
    RUNTIME_FUNCTION_NOT_FOUND = 6
    RUNTIME_FUNCTION_EXCEPTION = 7


class RequestError(Exception):
    """The request is refused with an error envelope; the connection lives on.

    `keep_cid=False` answers without the request's cid, as the reference does for `match_data_send`.
    """

    def __init__(self, code: ErrorCode, message: str, *, keep_cid: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.keep_cid = keep_cid


class ProtocolError(Exception):
    """The peer broke the contract: the connection is closed with `reason`.

    When `code` is given, an error envelope with it (and the peer's cid) is sent before the close frame.
    """

    def __init__(
        self, reason: CloseReason, code: ErrorCode | None = None, message: str = "", cid: str = ""
    ) -> None:
        super().__init__(reason.text)
        self.reason = reason
        self.code = code
        self.message = message
        self.cid = cid


class Malformed(ValueError):
    """The payload is not a message. Says no more, since the payload is the peer's."""
