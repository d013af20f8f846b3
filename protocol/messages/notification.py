"""News for one player."""

from datetime import datetime
from typing import Annotated

from protocol.message import Field, Int32, Message, outgoing

CHAT_REQUEST = -1
"""The code of a notification that its sender wants to chat."""


class Notification(Message, frozen=True):
    """Something that a player should know; `content` is JSON as text."""

    id: Annotated[str, Field(1)] = ""
    subject: Annotated[str, Field(2)] = ""
    content: Annotated[str, Field(3)] = ""
    code: Annotated[Int32, Field(4)] = 0
    sender_id: Annotated[str, Field(5)] = ""
    create_time: Annotated[datetime | None, Field(6)] = None
    persistent: Annotated[bool, Field(7)] = False


@outgoing("notifications", 23)
class Notifications(Message, frozen=True):
    """News for a player."""

    notifications: Annotated[tuple[Notification, ...], Field(1)] = ()
