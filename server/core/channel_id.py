"""Which conversation a channel is: its id, what a join names, and who may read its history.

A channel's id is `2...<room>`, `4.<user>.<user>.` with the lower id first, or `3.<group>..`. There are no
groups here, so nobody is a member of one.
"""

import re
import uuid

from protocol.errors import ErrorCode, RequestError
from server.core.identifiers import parse_uuid
from server.effects import Stream

ROOM, GROUP, DIRECT = 2, 3, 4
MODES = (ROOM, GROUP, DIRECT)
MAX_ROOM_BYTES = 64

_TYPES = {0: ROOM, 1: ROOM, 2: DIRECT, 3: GROUP}
"""What the type of a join stands for."""
_NIL = str(uuid.UUID(int=0))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse_channel(channel_id: str) -> Stream:
    """The stream of a channel id. Raises `RequestError` for what is none."""
    parts = channel_id.split(".", 3)
    if len(parts) == 4:
        mode, subject, subcontext, label = parts
        if mode == str(ROOM) and not subject + subcontext and 1 <= _size(label) <= MAX_ROOM_BYTES:
            return Stream(ROOM, label=label)
        if mode == str(GROUP) and (group := parse_uuid(subject)) and not subcontext and not label:
            return Stream(GROUP, group)
        if mode == str(DIRECT) and not label:
            users = parse_uuid(subject), parse_uuid(subcontext)
            if users[0] and users[1]:
                return Stream(DIRECT, users[0], users[1])
    raise RequestError(ErrorCode.BAD_INPUT, "Invalid channel identifier")


def id_of(stream: Stream) -> str:
    """The id of the channel on a stream, in its one canonical form."""
    return ".".join((str(stream.mode), stream.subject, stream.subcontext, stream.label))


def names_of(stream: Stream) -> dict[str, str]:
    """What messages about a channel call it, by the names of their fields."""
    if stream.mode == ROOM:
        return {"room_name": stream.label}
    if stream.mode == GROUP:
        return {"group_id": stream.subject}
    return {"user_id_one": stream.subject, "user_id_two": stream.subcontext}


def named_by(user_id: str, target: str, kind: int) -> Stream:
    """The channel that a player's join names. Raises `RequestError`.

    Whether the other player of a direct conversation exists is not known here.
    """
    if not target:
        raise bad_target()
    mode = _TYPES.get(kind)
    if mode == ROOM:
        return _room(target)
    if mode == DIRECT:
        return _direct(user_id, target)
    if mode == GROUP:
        known = parse_uuid(target) is not None
        raise bad_target("Group not found" if known else "Invalid group ID in group channel join")
    raise RequestError(ErrorCode.BAD_INPUT, "Invalid channel type")


def other_in(stream: Stream, user_id: str) -> str:
    """The other player of a direct conversation; oneself, when talking to oneself."""
    return stream.subcontext if stream.subject == user_id else stream.subject


def readable(channel_id: str, user_id: str) -> tuple[str, dict[str, str]]:
    """The id and the names of the channel whose history a player asks for.

    Raises `RequestError` if it is none, or not theirs.
    """
    try:
        stream = parse_channel(channel_id)
    except RequestError:
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid channel ID.") from None
    if stream.mode == GROUP:
        raise RequestError(ErrorCode.BAD_INPUT, "Group not found.")
    if stream.mode == DIRECT and user_id not in (stream.subject, stream.subcontext):
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid channel ID.")
    return id_of(stream), names_of(stream)


def bad_target(why: str = "") -> RequestError:
    """The refusal of a join for what it names."""
    return RequestError(
        ErrorCode.BAD_INPUT, f"{why}: Invalid channel target" if why else "Invalid channel target"
    )


def _room(name: str) -> Stream:
    size = _size(name)
    if size == 0:
        raise bad_target("Channel name must only contain valid UTF-8 bytes")
    if size > MAX_ROOM_BYTES:
        raise bad_target(f"Channel name is required and must be 1-{MAX_ROOM_BYTES} chars")
    if _CONTROL.search(name):
        raise bad_target("Channel name must not contain control chars")
    return Stream(ROOM, label=name)


def _direct(user_id: str, target: str) -> Stream:
    other = parse_uuid(target)
    if other is None or other == _NIL:
        raise bad_target("Invalid user ID in direct message join")
    return Stream(DIRECT, *sorted((user_id, other)))


def _size(text: str) -> int:
    """Bytes of a text; 0 for one that has no UTF-8 because of a lone surrogate."""
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return 0
