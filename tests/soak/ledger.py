"""What each member of a match must hear while members come and go. Pure.

A visit is one player's stay on one socket; it numbers what it sends from 0. Whoever is in the match while
another visit begins must hear all of it from 0 on; who comes later, all that is sent once they know that they
are in. A visit that ends by a close, and not by a reset, must have been heard to its end.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto


class End(Enum):
    """How a visit ended."""

    CLOSED = auto()
    """Everything it sent came before its close."""
    ABORTED = auto()
    """What was under way may be lost."""


@dataclass(slots=True)
class Counts:
    """What honest players sent and heard."""

    sent: int = 0
    delivered: int = 0
    missed: int = 0
    duplicated: int = 0
    reordered: int = 0
    foreign: int = 0

    @property
    def is_clean(self) -> bool:
        return not (self.missed or self.duplicated or self.reordered or self.foreign)


@dataclass(slots=True)
class _Lane:
    """What one visit has heard of another."""

    expected: int
    latest: int | None
    """So high may the first number heard be; None once one was heard, or when it must be 0."""
    gaps: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Visit:
    """One stay in one match."""

    player: int
    session_id: str
    sent: int = 0
    end: End | None = None
    lanes: dict[str, _Lane] = field(default_factory=dict)


class Ledger:
    """All visits, by the session id that the server tells of them."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._visits: dict[str, Visit] = {}

    def begin(self, player: int, session_id: str, present: Iterable[str]) -> Visit:
        """A player has heard that they are in, together with these sessions."""
        visit = self._visits[session_id] = Visit(player, session_id)
        for other in present:
            if other != session_id:
                known = self._visits.get(other)
                visit.lanes[other] = _Lane(0, 0 if known is None else known.sent)
        return visit

    def send(self, visit: Visit) -> int:
        """The number of the message that is sent now."""
        self.counts.sent += 1
        visit.sent += 1
        return visit.sent - 1

    def joined(self, visit: Visit, session_id: str) -> None:
        """The visit has heard that somebody came in, so it hears everything of theirs."""
        if session_id != visit.session_id:
            visit.lanes.setdefault(session_id, _Lane(0, None))

    def left(self, visit: Visit, session_id: str) -> None:
        """The visit has heard that somebody left."""
        lane = visit.lanes.pop(session_id, None)
        other = self._visits.get(session_id)
        if lane is not None and other is not None and other.end is End.CLOSED:
            self.counts.missed += _unheard(lane, other.sent)

    def receive(self, visit: Visit, session_id: str, player: int, number: int) -> bool:
        """Check one message. True if it is new, and where it belongs."""
        lane, sender = visit.lanes.get(session_id), self._visits.get(session_id)
        if lane is None or sender is None or sender.player != player or not 0 <= number < sender.sent:
            self.counts.foreign += 1
            return False
        if lane.latest is not None:
            lane.expected = min(number, lane.latest)
            lane.latest = None
        if number == lane.expected:
            lane.expected += 1
        elif number > lane.expected:
            self.counts.missed += number - lane.expected
            lane.gaps.update(range(lane.expected, number))
            lane.expected = number + 1
        elif number in lane.gaps:
            lane.gaps.remove(number)
            self.counts.missed -= 1
            self.counts.reordered += 1
        else:
            self.counts.duplicated += 1
            return False
        self.counts.delivered += 1
        return True

    def marks(self, visit: Visit) -> dict[str, int]:
        """How much of each other visit has been sent by now: `lacking` tells when all of that is heard."""
        others = ((session_id, self._visits.get(session_id)) for session_id in visit.lanes)
        return {session_id: 0 if other is None else other.sent for session_id, other in others}

    def lacking(self, visit: Visit, marks: dict[str, int]) -> int:
        """Messages up to the marks that are not heard, of those who are still there."""
        count = 0
        for session_id, mark in marks.items():
            lane, other = visit.lanes.get(session_id), self._visits.get(session_id)
            if lane is not None and other is not None and other.end is not End.ABORTED:
                count += _unheard(lane, mark)
        return count

    def close(self, visit: Visit, end: End) -> None:
        """The visit is over: it sends and hears no more."""
        visit.end = end
        visit.lanes.clear()


def _unheard(lane: _Lane, up_to: int) -> int:
    begun = lane.expected if lane.latest is None else lane.latest
    return max(up_to - begun, 0)
