"""One ticket's search for a group: candidates are offered, best first, and packed until a group holds.

A group holds when every ticket in it has its minimum, maximum and multiple, no session is in it twice, and,
where that is asked for, every ticket matches every other's query.
"""

from dataclasses import dataclass, field

from server.core.ticket import Ticket

MAX_BUNDLES = 32
"""Beginnings of groups that a search keeps; a candidate that fits into none of so many is passed over."""

OFFER_COST = 40
QUESTION_COST = 8


@dataclass(frozen=True, slots=True)
class Group:
    """A match: those who were found, and last the ticket that searched."""

    tickets: tuple[Ticket, ...]


@dataclass(slots=True, eq=False)
class _Bundle:
    """Candidates that may play together."""

    tickets: list[Ticket]
    size: int
    limit: int
    """The smallest maximum of all in it."""
    sessions: set[str] = field(default_factory=set)

    def add(self, ticket: Ticket) -> None:
        self.tickets.append(ticket)
        self.size += ticket.size
        self.limit = min(self.limit, ticket.search.max_count)
        self.sessions |= ticket.sessions


class Grouping:
    """The search of one ticket. Offer candidates; at its last round, `settle` for less than its maximum."""

    def __init__(self, ticket: Ticket, *, mutual: bool) -> None:
        self._ticket = ticket
        self._mutual = mutual
        self._bundles: list[_Bundle] = []
        self.work = 0
        """What it has cost: offers, questions to queries, and their patterns (`Automaton.work`)."""

    def offer(self, candidate: Ticket) -> Group | None:
        """Take a candidate in, if it may play with this ticket. Returns a group of the maximum size."""
        ticket = self._ticket
        self.work += OFFER_COST
        if (
            candidate is ticket
            or candidate.clashes(ticket.sessions)
            or (ticket.party_id and candidate.party_id == ticket.party_id)
            or candidate.size + ticket.size > candidate.search.max_count
            or (self._mutual and not self._wants(candidate, ticket))
        ):
            return None
        bundle = self._place(candidate)
        if bundle is None or bundle.size != ticket.search.max_count:
            return None
        return self._hold(bundle.tickets)

    def settle(self) -> Group | None:
        """The largest group there is, if any is allowed."""
        for bundle in sorted(self._bundles, key=lambda bundle: -bundle.size):
            rest = bundle.size % self._ticket.search.count_multiple
            tickets = _without(bundle.tickets, rest) if rest else bundle.tickets
            if tickets and (group := self._hold(tickets)) is not None:
                return group
        return None

    def _place(self, candidate: Ticket) -> _Bundle | None:
        for bundle in self._bundles:
            size = bundle.size + candidate.size
            if (
                size <= bundle.limit
                and size <= candidate.search.max_count
                and not candidate.clashes(bundle.sessions)
                and not (self._mutual and self._strange(candidate, bundle))
            ):
                bundle.add(candidate)
                return bundle
        if len(self._bundles) == MAX_BUNDLES:
            return None
        bundle = _Bundle([], self._ticket.size, self._ticket.search.max_count)
        bundle.add(candidate)
        self._bundles.append(bundle)
        return bundle

    def _strange(self, candidate: Ticket, bundle: _Bundle) -> bool:
        """Whether the candidate and someone there do not both want each other."""
        return not all(
            self._wants(candidate, other) and self._wants(other, candidate) for other in bundle.tickets
        )

    def _wants(self, ticket: Ticket, other: Ticket) -> bool:
        before = ticket.work
        wants = ticket.query.matches(other.fields)
        self.work += QUESTION_COST + ticket.work - before
        return wants

    def _hold(self, found: list[Ticket]) -> Group | None:
        tickets = (*found, self._ticket)
        size = sum(each.size for each in tickets)
        for each in tickets:
            search = each.search
            if not search.min_count <= size <= search.max_count or size % search.count_multiple:
                return None
        return Group(tickets)


def _without(tickets: list[Ticket], surplus: int) -> list[Ticket]:
    """The tickets less some of exactly `surplus` players, of those who came last; none if that cannot be.

    Bit n of `reached` says that some of the tickets seen add up to n players; `by[n]` is the last of them.
    """
    reached, by = 1, {}
    for ticket in sorted(tickets, key=lambda ticket: -ticket.number):
        sums = reached << ticket.size & ~reached & (2 << surplus) - 1
        reached |= sums
        while sums:
            by[sums.bit_length() - 1] = ticket
            sums ^= 1 << sums.bit_length() - 1
        if surplus in by:
            break
    gone = set()
    while surplus:
        if surplus not in by:
            return []
        gone.add(by[surplus].number)
        surplus -= by[surplus].size
    return [ticket for ticket in tickets if ticket.number not in gone]
