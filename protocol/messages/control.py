"""Heartbeats and refusals."""

from typing import Annotated

from protocol.message import Field, Int32, Message, incoming, outgoing


@incoming("ping", 32)
class Ping(Message, frozen=True):
    """Are you there; answered with a pong."""


@incoming("pong", 33)
@outgoing("pong", 33)
class Pong(Message, frozen=True):
    """The answer to a ping; a client's own is ignored."""


@outgoing("error", 11)
class Error(Message, frozen=True):
    """A request was refused. `code` is one of `ErrorCode`."""

    code: Annotated[Int32, Field(1)] = 0
    message: Annotated[str, Field(2)] = ""
    context: Annotated[dict[str, str], Field(3)] = {}
