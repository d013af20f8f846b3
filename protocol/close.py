"""Every way a connection ends: close code, reason text, and whether the client may come back.

Codes and texts of the reference server are kept. Causes that it lacks take 4000..4499 (come back) and
4500..4999 (stay away).
"""

from enum import Enum


class CloseReason(Enum):
    """A named close: `code` and `text` go into the close frame, `reconnect` is advice to the client."""

    # The peer sent text or protobuf that does not decode. Issued by the router.
    MALFORMED = (1000, "received malformed payload", False)
    # A binary frame on a JSON socket, or the reverse. Issued by the session.
    UNEXPECTED_TYPE = (1000, "received unexpected WebSocket message type", False)
    # An envelope without a message, or with one that only servers send. Issued by the router.
    UNPROCESSABLE = (1000, "error processing message", False)
    # Another socket of the same player took over; also ban and account deletion. Issued by the registry.
    DISCONNECTED = (1000, "server-side session disconnect", False)
    # The peer reads too slowly for what it is sent. Issued by the session.
    QUEUE_FULL = (1000, "session outgoing queue full", True)
    # Nothing was heard from the peer within `socket.pong_timeout_s`. Issued by the keepalive sweep.
    PONG_TIMEOUT = (1000, "pong timeout", True)
    # A message, whole or in fragments, over the size limit. Issued by the transport.
    TOO_BIG = (1009, "", False)
    # The server stops and is expected back. Issued at shutdown.
    RESTARTING = (4001, "server restarting", True)
    # The login that opened this socket was ended: stolen, crowded out, or by an operator.
    REVOKED = (4500, "session revoked", False)
    # The session token, or the login, that let the socket in is over (`session.socket_expiry`). Issued by the
    # sweep for expired sockets.
    SESSION_EXPIRED = (4501, "session expired", False)
    # The peer goes on sending more than it may, after it has been told. Issued by the performer.
    TOO_FAST = (4503, "too many messages", False)
    # The login that opened this socket was ended by its player. Issued on logout.
    LOGGED_OUT = (4502, "logged out", False)

    def __init__(self, code: int, text: str, reconnect: bool) -> None:
        self.code = code
        self.text = text
        self.reconnect = reconnect
