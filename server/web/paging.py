"""Pages of a list that grows: what a cursor says, and which page is next.

A cursor is a position in one list, and nothing more: who may read the list is checked at every request, so
a cursor that somebody made up leads nowhere but to another page of what they may read.
"""

import hashlib
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from aiohttp import web

from server.identity import base64url
from server.web.errors import Code, Failure
from server.web.parameters import int32

MAX_LIMIT = 100
DEFAULT_LIMIT = 1
END = 2**63 - 1

_PACKED = struct.Struct(">BQ8s")
_FORWARD, _NEXT = 1, 2


class Placed(Protocol):
    """An item of a list; numbers grow."""

    @property
    def number(self) -> int: ...


P = TypeVar("P", bound=Placed, covariant=True)

Fetch = Callable[[int, int, bool], Awaitable[Sequence[P]]]
"""The items next to a position, the nearest first: position, how many, whether newer ones."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list, and the way to read on from it.

    `forward`: the list is read from its oldest item on. `is_next`: on to the next page, not back.
    """

    position: int
    forward: bool = True
    is_next: bool = True


@dataclass(frozen=True, slots=True)
class Page(Generic[P]):
    """Items in the order they are read in, and where there is more. `newest`: to ask later what has come."""

    items: Sequence[P]
    next: Cursor | None
    previous: Cursor | None
    newest: Cursor | None


def limit_of(request: web.Request) -> int:
    """How many items are asked for. Raises `Failure`."""
    limit = int32(request, "limit")
    if limit is None:
        return DEFAULT_LIMIT
    if not 1 <= limit <= MAX_LIMIT:
        raise Failure(Code.INVALID_ARGUMENT, f"Invalid limit - limit must be between 1 and {MAX_LIMIT}.")
    return limit


def encode(cursor: Cursor | None, which: str) -> str:
    """A cursor as text, empty for none; it counts for the list called `which` alone."""
    if cursor is None:
        return ""
    flags = _FORWARD * cursor.forward | _NEXT * cursor.is_next
    return base64url.encode(_PACKED.pack(flags, cursor.position, _mark(which)))


def decode(text: str, which: str) -> Cursor | None:
    """What `encode` made into text for the same list; None for anything else."""
    try:
        flags, position, mark = _PACKED.unpack(base64url.decode(text))
    except (ValueError, struct.error):
        return None
    if mark != _mark(which) or flags > _FORWARD | _NEXT or position > END:
        return None
    return Cursor(position, bool(flags & _FORWARD), bool(flags & _NEXT))


async def page(fetch: Fetch[P], cursor: Cursor | None, limit: int, *, forward: bool) -> Page[P]:
    """The page that a cursor leads to, or the first one. A cursor's direction must be `forward`."""
    at = cursor or Cursor(0 if forward else END, forward)
    # One more than asked for tells whether there is a page behind it.
    found = list(await fetch(at.position, limit + 1, at.forward == at.is_next))
    more, found = len(found) > limit, found[:limit]
    if not at.is_next:
        found.reverse()
    if not found:
        return Page((), None, None, cursor if forward and at.is_next else None)
    first, last = found[0].number, found[-1].number
    goes_on = more if at.is_next else True
    goes_back = cursor is not None if at.is_next else more
    return Page(
        found,
        next=Cursor(last, forward, is_next=True) if goes_on else None,
        previous=Cursor(first, forward, is_next=False) if goes_back else None,
        newest=Cursor(max(first, last)),
    )


def _mark(which: str) -> bytes:
    return hashlib.sha256(which.encode()).digest()[:8]
