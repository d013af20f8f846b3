"""The wire contract, pure and shared: what a peer may say, and how it is written down.

Imports nothing of the server and touches neither clock nor socket, so that the load tester speaks through
the same code as the server does.
"""

from protocol.close import CloseReason
from protocol.envelope import Envelope, Format, decode, decode_server, encode
from protocol.errors import ErrorCode, ProtocolError, RequestError

__all__ = [
    "CloseReason",
    "Envelope",
    "ErrorCode",
    "Format",
    "ProtocolError",
    "RequestError",
    "decode",
    "decode_server",
    "encode",
]
