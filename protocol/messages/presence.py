"""Who somebody is, in every topic."""

from typing import Annotated

from protocol.message import Field, Message


class UserPresence(Message, frozen=True):
    """A player's socket, as others see it."""

    user_id: Annotated[str, Field(1)] = ""
    session_id: Annotated[str, Field(2)] = ""
    username: Annotated[str, Field(3)] = ""
    persistence: Annotated[bool, Field(4)] = False
    status: Annotated[str | None, Field(5)] = None
