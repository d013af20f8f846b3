"""All that a rule may ask for. Cores return these; `perform.py` is the only place that carries them out."""

from typing import Any, NamedTuple

import msgspec

from protocol.close import CloseReason
from protocol.message import Message


class Stream(NamedTuple):
    """A place that presences are on: a mode, and up to three parts that name it."""

    mode: int
    subject: str = ""
    subcontext: str = ""
    label: str = ""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Answer the request. None is the empty reply that only repeats the `cid`."""

    message: Message | None = None


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Send `message` to all on a stream, or to the named sessions, except to `skip`.

    Match data with a `latest_key` takes the place, for receivers who are too slow, of what they have not been
    sent yet of the same match and key.
    """

    to: Stream | tuple[str, ...]
    message: Message
    skip: str = ""
    latest_key: str = ""


class Disconnect(msgspec.Struct, frozen=True, gc=False):
    """End a session. What it was sent before, this request's reply included, goes out first."""

    session_id: str
    reason: CloseReason


class Record(msgspec.Struct, frozen=True, gc=False):
    """Write one line of the log for something that operators follow."""

    event: str
    fields: dict[str, Any]


Effect = Reply | Deliver | Disconnect | Record
Effects = list[Effect]
