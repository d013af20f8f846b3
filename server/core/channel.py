"""Channels: how their ids are read, and what only members may do.

Nobody can join a channel yet, so whoever speaks in one is told to join it first.
"""

import json

from protocol.errors import ErrorCode, RequestError
from server.core.identifiers import parse_uuid
from server.effects import Stream

ROOM, GROUP, DIRECT = 2, 3, 4
MAX_ROOM_BYTES = 64


def parse_channel(channel_id: str) -> Stream:
    """The stream of a channel id: `2...<room>`, `3.<group>..` or `4.<user>.<user>.`.

    Raises `RequestError` for anything else.
    """
    parts = channel_id.split(".", 3)
    if len(parts) == 4:
        mode, subject, subcontext, label = parts
        if mode == str(ROOM) and not subject + subcontext and 1 <= len(label.encode()) <= MAX_ROOM_BYTES:
            return Stream(ROOM, label=label)
        if mode == str(GROUP) and (group := parse_uuid(subject)) and not subcontext and not label:
            return Stream(GROUP, group)
        if mode == str(DIRECT) and not label:
            users = parse_uuid(subject), parse_uuid(subcontext)
            if users[0] and users[1]:
                return Stream(DIRECT, users[0], users[1])
    raise RequestError(ErrorCode.BAD_INPUT, "Invalid channel identifier")


def check_message_id(message_id: str) -> None:
    """Raises `RequestError` unless the id of a chat message is one."""
    if parse_uuid(message_id) is None:
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid message identifier")


def check_content(content: str) -> None:
    """Raises `RequestError` unless `content` is the text of a JSON object."""
    try:
        good = isinstance(json.loads(content, parse_constant=_no_constant), dict)
    except (ValueError, RecursionError):
        good = False
    if not good:
        raise RequestError(ErrorCode.BAD_INPUT, "Message content must be a valid JSON object")


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def not_joined(doing: str) -> RequestError:
    """The refusal of somebody who is not in the channel; `doing` is for its text."""
    return RequestError(ErrorCode.BAD_INPUT, f"Must join channel before {doing} messages")
