"""Status lines and those who follow them."""

from typing import Annotated

from protocol.message import Field, Message, incoming, outgoing
from protocol.messages.presence import UserPresence


@outgoing("status", 25)
class Status(Message, frozen=True):
    """What the followed players show at the moment."""

    presences: Annotated[tuple[UserPresence, ...], Field(1)] = ()


@incoming("status_follow", 26)
class StatusFollow(Message, frozen=True):
    """Tell me when these players change their status."""

    user_ids: Annotated[tuple[str, ...], Field(1)] = ()
    usernames: Annotated[tuple[str, ...], Field(2)] = ()


@outgoing("status_presence_event", 27)
class StatusPresenceEvent(Message, frozen=True):
    """Players that one follows came, went, or show another status."""

    joins: Annotated[tuple[UserPresence, ...], Field(2)] = ()
    leaves: Annotated[tuple[UserPresence, ...], Field(3)] = ()


@incoming("status_unfollow", 28)
class StatusUnfollow(Message, frozen=True):
    """Tell me no more about these players."""

    user_ids: Annotated[tuple[str, ...], Field(1)] = ()


@incoming("status_update", 29)
class StatusUpdate(Message, frozen=True):
    """Show this status; unset goes offline."""

    status: Annotated[str | None, Field(1)] = None
