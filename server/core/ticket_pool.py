"""The tickets that wait, indexed by what queries ask, so that a search need not look at all of them.

Tickets with equal counts share a shelf, because a search only sees counts within its own. A shelf knows its
tickets by text and by number of each property. Candidates come best first, then longest waiting first, one by
one: whoever asks stops when enough were found. Nothing may be added or removed meanwhile.
"""

from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from math import inf

from server.core.query import Query
from server.core.query_tests import Equal, Range
from server.core.ticket import Ticket

Posting = OrderedDict[int, Ticket]
"""Tickets by number, longest waiting first; taking one from the front is cheap."""
NO_TICKETS: Posting = OrderedDict()
INDEXED = "properties."
MAX_SHELVES = 256
"""Pairs of counts that one search looks through."""
MAX_LOOKED = 30_000
"""What one search may look at, in the unit of `TicketPool.looked`: some tens of milliseconds. Only a search
that no index narrows comes near it; it then has seen those who waited longest."""
CLAUSES_PER_LOOK = 4
WORK_PER_LOOK = 8


@dataclass(frozen=True, slots=True)
class _Narrow:
    """A part of a shelf: by the text of a property, and a slice of its numbers."""

    name: str
    posting: Posting
    low: int
    high: int

    @property
    def count(self) -> int:
        return len(self.posting) + self.high - self.low


class Shelf:
    """The tickets of one minimum and one maximum."""

    def __init__(self) -> None:
        self.tickets: Posting = OrderedDict()
        self.players = 0
        self.largest = 0
        """Players of the largest ticket there ever was."""
        self._texts: dict[tuple[str, str], Posting] = {}
        self._numbers: dict[str, list[tuple[float, int]]] = {}

    def add(self, ticket: Ticket) -> None:
        self.tickets[ticket.number] = ticket
        self.players += ticket.size
        self.largest = max(self.largest, ticket.size)
        for name, text in _texts(ticket):
            self._texts.setdefault((name, text), OrderedDict())[ticket.number] = ticket
        for name, number in _numbers(ticket):
            insort(self._numbers.setdefault(name, []), (number, ticket.number))

    def remove(self, ticket: Ticket) -> None:
        del self.tickets[ticket.number]
        self.players -= ticket.size
        for name, text in _texts(ticket):
            posting = self._texts[name, text]
            del posting[ticket.number]
            if not posting:
                del self._texts[name, text]
        for name, number in _numbers(ticket):
            pairs = self._numbers[name]
            del pairs[bisect_left(pairs, (number, ticket.number))]
            if not pairs:
                del self._numbers[name]

    def reach(self, query: Query) -> int:
        """No more players than this can be found."""
        narrow = self._narrowest(query)
        return self.players if narrow is None else min(self.players, narrow.count * self.largest)

    def look(self, query: Query) -> Iterator[Ticket]:
        """All tickets that may match, in order of age, with as few others as the index can tell."""
        narrow = self._narrowest(query)
        if narrow is None:
            yield from self.tickets.values()
            return
        if narrow.low == narrow.high:
            yield from narrow.posting.values()
            return
        # Numbers are not kept by age, and sorting many costs more than meeting one of them by chance.
        last = -1
        if narrow.count**2 > 4 * len(self.tickets):
            for seen, ticket in enumerate(self.tickets.values()):
                if seen == narrow.count:
                    break
                last = ticket.number
                yield ticket
            else:
                return
        pairs = self._numbers[narrow.name][narrow.low : narrow.high]
        rest = [number for _, number in pairs if number > last]
        rest += [number for number in narrow.posting if number > last]
        for number in sorted(rest):
            yield self.tickets[number]

    def _narrowest(self, query: Query) -> _Narrow | None:
        """What the most telling must clause leaves, or all that bound one number. None if none tells."""
        best: _Narrow | None = None
        spans: dict[str, tuple[int, int]] = {}
        for clause in query.must:
            test, name = clause.test, clause.field
            if not isinstance(test, Equal | Range):
                continue
            if not name:
                return _Narrow(name, NO_TICKETS, 0, 0)
            if not name.startswith(INDEXED):
                continue
            low, high = _slice(test, self._numbers.get(name, []))
            if isinstance(test, Range):
                least, most = spans.get(name, (low, high))
                spans[name] = max(low, least), min(high, most)
            else:
                posting = self._texts.get((name, test.text), NO_TICKETS)
                best = _narrower(best, _Narrow(name, posting, low, max(low, high)))
        for name, (low, high) in spans.items():
            best = _narrower(best, _Narrow(name, NO_TICKETS, low, max(low, high)))
        return best


def _narrower(best: _Narrow | None, other: _Narrow) -> _Narrow:
    return other if best is None or other.count < best.count else best


class TicketPool:
    """Every shelf. `looked` counts the tickets that searches were shown; long queries count more."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[int, int], Shelf] = {}
        self._until = 0
        self.looked = 0
        self.cut = 0
        """Searches that ended before they had seen everyone."""

    def add(self, ticket: Ticket) -> None:
        self._shelves.setdefault(_counts(ticket), Shelf()).add(ticket)

    def remove(self, ticket: Ticket) -> None:
        shelf = self._shelves[_counts(ticket)]
        shelf.remove(ticket)
        if not shelf.tickets:
            del self._shelves[_counts(ticket)]

    def candidates(self, ticket: Ticket, least: int) -> Iterator[Ticket]:
        """Who matches a ticket's query and counts, perhaps itself; nobody if they are fewer than `least`."""
        self._until = self.looked + MAX_LOOKED
        shelves = self._shelves_for(ticket)
        if sum(shelf.players for shelf in shelves) < least:
            return iter(())
        if ticket.tiers is None:
            return self._ranked(shelves, ticket)
        if len(ticket.tiers) == 1 and len(ticket.tiers[0]) == 1:
            (query,) = ticket.tiers[0]
            # The searching ticket need not match its own query.
            if sum(shelf.reach(query) for shelf in shelves) < least - ticket.size:
                return iter(())
        return (
            found
            for tier in ticket.tiers
            for found in _merged(
                [self._matching(shelf, query, ticket) for query in tier for shelf in shelves]
            )
        )

    def _shelves_for(self, ticket: Ticket) -> list[Shelf]:
        least, most = ticket.search.min_count, ticket.search.max_count
        self.looked += 1 + len(self._shelves) // 8
        fitting = (shelf for (low, high), shelf in self._shelves.items() if low >= least and high <= most)
        return list(islice(fitting, MAX_SHELVES))

    def _matching(self, shelf: Shelf, query: Query, asker: Ticket) -> Iterator[Ticket]:
        cost = 1 + query.size // CLAUSES_PER_LOOK
        for ticket in shelf.look(query):
            if self.looked >= self._until:
                self.cut += 1
                return
            work = asker.work
            matches = query.matches(ticket.fields)
            self.looked += cost + (asker.work - work) // WORK_PER_LOOK
            if matches:
                yield ticket

    def _ranked(self, shelves: list[Shelf], asker: Ticket) -> Iterator[Ticket]:
        query = asker.query
        found = [ticket for shelf in shelves for ticket in self._matching(shelf, query, asker)]
        found.sort(key=lambda ticket: (-query.score(ticket.fields), ticket.number))
        return iter(found)


def _merged(lines: list[Iterator[Ticket]]) -> Iterator[Ticket]:
    if len(lines) == 1:
        return lines[0]
    return merge(*lines, key=lambda ticket: ticket.number)


def _counts(ticket: Ticket) -> tuple[int, int]:
    return ticket.search.min_count, ticket.search.max_count


def _texts(ticket: Ticket) -> Iterator[tuple[str, str]]:
    for name, value in ticket.fields.items():
        if isinstance(value, str) and name.startswith(INDEXED):
            yield name, value


def _numbers(ticket: Ticket) -> Iterator[tuple[str, float]]:
    for name, value in ticket.fields.items():
        # What is not a number is in no range, and in no order either.
        if isinstance(value, float | int) and value == value and name.startswith(INDEXED):
            yield name, value


def _slice(test: Equal | Range, pairs: list[tuple[float, int]]) -> tuple[int, int]:
    """Where the numbers that pass the test are."""
    if isinstance(test, Equal):
        if test.number is None:
            return 0, 0
        return bisect_left(pairs, (test.number, -1)), bisect_right(pairs, (test.number, inf))
    if test.above:
        edge = (test.bound, -1) if test.inclusive else (test.bound, inf)
        return bisect_left(pairs, edge), len(pairs)
    edge = (test.bound, inf) if test.inclusive else (test.bound, -1)
    return 0, bisect_left(pairs, edge)
