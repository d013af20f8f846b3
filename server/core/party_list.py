"""Listing the parties that are not hidden: best score first, then the newest, a page at a time.

The work is done in steps, for there may be many parties and a query may be dear. A cursor names the last
party of its page, so parties that come and go between two pages neither repeat nor hide others.
"""

import base64
import binascii
import heapq
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from server.core.party_room import Room
from server.core.query import parse

MAX_CLAUSES = 32
"""Clauses of a query. More would hold others up at a single label of full size."""
MAX_WORK = 1_000_000
"""What a listing may cost, in units as for `Listing.look`. Beyond it, it makes do with what it has found."""
CHARACTERS = 16
"""Characters of a label that cost a clause about as much as a label itself does."""

Place = tuple[float, int]
"""Score and number of a party. Listings go downwards."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to list. `limit`: parties on a page. `open`: only such, or only closed ones; None is both."""

    limit: int
    open: bool | None = None
    query: str = ""
    cursor: str = ""


class Listing:
    """One page in the making: call `look` until it returns False, then read `page`.

    `on_cut` is told when it ends before it has looked at all parties. Raises ValueError for a query or a
    cursor that is none, or a cursor that another question got.
    """

    def __init__(self, rooms: Sequence[Room], ask: Ask, on_cut: Callable[[], None]) -> None:
        self._ask = ask
        self._on_cut = on_cut
        self._query = parse(ask.query or "*")
        if self._query.size > MAX_CLAUSES:
            raise ValueError(f"more than {MAX_CLAUSES} clauses")
        self._work = 0
        self._after = None if not ask.cursor else _place_of(ask)
        self._rooms = rooms
        self._left = len(rooms)
        self._found: list[tuple[Place, Room]] = []
        """A heap of the best, one more than fit on the page; the worst of them comes first."""

    def look(self, work: int) -> bool:
        """Look at more parties, for about so much work. Returns whether others are still to be looked at.

        A unit is a clause and a small label: well under a microsecond, or three with the dearest pattern.
        """
        until = self._work + work
        while self._left and self._work < until:
            self._left -= 1
            room = self._rooms[self._left]
            self._work += 1 + self._query.size * (1 + len(room.label) // CHARACTERS)
            self._consider(room)
            if self._is_settled:
                self._left = 0
            elif self._left and self._work >= MAX_WORK:
                self._left = 0
                self._on_cut()
        return self._left > 0

    def page(self) -> tuple[tuple[Room, ...], str]:
        """The parties, and the cursor of the next page; without one it is empty."""
        best = sorted(self._found, key=lambda found: found[0], reverse=True)
        shown = best[: self._ask.limit]
        cursor = _cursor(self._ask, shown[-1][0]) if len(best) > len(shown) else ""
        return tuple(room for _, room in shown), cursor

    @property
    def _is_settled(self) -> bool:
        # Without should clauses all scores are equal, and newer parties are looked at first.
        return not self._query.should and len(self._found) > self._ask.limit

    def _consider(self, room: Room) -> None:
        if room.hidden or self._ask.open not in (None, room.open) or not self._query.matches(room.fields):
            return
        place = (float(self._query.score(room.fields)) if self._query.should else 0.0, room.number)
        if self._after is not None and place >= self._after:
            return
        heapq.heappush(self._found, (place, room))
        if len(self._found) > self._ask.limit + 1:
            heapq.heappop(self._found)


def _cursor(ask: Ask, place: Place) -> str:
    said = json.dumps([ask.limit, ask.open, ask.query, *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def _place_of(ask: Ask) -> Place:
    try:
        padded = ask.cursor + "=" * (-len(ask.cursor) % 4)
        said: Any = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("not a cursor") from None
    if not isinstance(said, list) or said[:3] != [ask.limit, ask.open, ask.query] or len(said) != 5:
        raise ValueError("the cursor of another listing")
    score, number = said[3:]
    if not isinstance(score, float) or not isfinite(score) or not isinstance(number, int):
        raise ValueError("not a cursor")
    return score, number
