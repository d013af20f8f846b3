"""Streams that game code makes."""

from typing import Annotated

from protocol.message import Field, Int32, Message, outgoing
from protocol.messages.presence import UserPresence


class Stream(Message, frozen=True):
    """A stream's name: mode and up to three parts."""

    mode: Annotated[Int32, Field(1)] = 0
    subject: Annotated[str, Field(2)] = ""
    subcontext: Annotated[str, Field(3)] = ""
    label: Annotated[str, Field(4)] = ""


@outgoing("stream_data", 30)
class StreamData(Message, frozen=True):
    """Data that game code sent on a stream."""

    stream: Annotated[Stream | None, Field(1)] = None
    sender: Annotated[UserPresence | None, Field(2)] = None
    data: Annotated[str, Field(3)] = ""
    reliable: Annotated[bool, Field(4)] = False


@outgoing("stream_presence_event", 31)
class StreamPresenceEvent(Message, frozen=True):
    """Presences came to or left a stream."""

    stream: Annotated[Stream | None, Field(1)] = None
    joins: Annotated[tuple[UserPresence, ...], Field(2)] = ()
    leaves: Annotated[tuple[UserPresence, ...], Field(3)] = ()
