"""Where a listing of stored objects goes on, as text.

A cursor is a position in one listing and nothing more: who may read what is part of every question, so a
cursor that somebody made up leads nowhere but to another page of what they may read.
"""

import base64
import hashlib
import json
from typing import NamedTuple

MARK_BYTES = 8
MAX_TEXT = 512
"""Characters; the longest that `encode` makes has less."""


class Position(NamedTuple):
    """Behind the object with this key and owner; the default is before all."""

    key: str = ""
    user_id: str = ""


def encode(position: Position, *which: str | None) -> str:
    """A position as text; it counts for the listing called `which` alone."""
    user_id = position.user_id.encode()
    packed = _mark(which) + bytes((len(user_id),)) + user_id + position.key.encode()
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(text: str, *which: str | None) -> Position | None:
    """What `encode` made into text for the same listing; None for anything else."""
    if len(text) > MAX_TEXT:
        return None
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        end = MARK_BYTES + 1 + packed[MARK_BYTES]
        position = Position(packed[end:].decode(), packed[MARK_BYTES + 1 : end].decode())
    except (ValueError, IndexError):
        return None
    # The decoder is lenient; there is one spelling of a position, and it says for which listing it is.
    return position if position.key and encode(position, *which) == text else None


def _mark(which: tuple[str | None, ...]) -> bytes:
    return hashlib.sha256(json.dumps(which).encode()).digest()[:MARK_BYTES]
