"""Functions that game code offers."""

from typing import Annotated

from protocol.message import Field, Message, incoming, outgoing


@incoming("rpc", 24)
@outgoing("rpc", 24)
class Rpc(Message, frozen=True):
    """Call a function by name; the answer has the same shape."""

    id: Annotated[str, Field(1)] = ""
    payload: Annotated[str, Field(2)] = ""
    http_key: Annotated[str, Field(3)] = ""
