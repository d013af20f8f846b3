"""A search for others to play with: what was asked, by whom, and the fields that queries of others see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchmakerAdd, PartyMatchmakerAdd, UserPresence
from server.core.pattern import Automaton
from server.core.query import EVERYTHING, Fields, Query, QueryError, parse
from server.core.query_tests import Value

MIN_COUNT = 2
MAX_TIERED = 4
"""Should clauses up to which candidates are looked up best first, each combination of clauses by itself."""


class MatchmakerError(Exception):
    """A search that cannot be, or is not there. The text is what party errors show."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a player asks for. Check it before use."""

    min_count: int
    max_count: int
    count_multiple: int = 1
    query: str = "*"
    string_properties: Mapping[str, str] = field(default_factory=dict)
    numeric_properties: Mapping[str, float] = field(default_factory=dict)

    def check(self) -> None:
        """Raises RequestError for counts that make no sense."""
        if self.min_count < MIN_COUNT:
            raise _bad(f"Invalid minimum count, must be >= {MIN_COUNT}")
        if self.max_count < self.min_count:
            raise _bad("Invalid maximum count, must be >= minimum count")
        if self.count_multiple < 1:
            raise _bad("Invalid count multiple, must be >= 1")
        if self.min_count % self.count_multiple:
            raise _bad("Invalid count multiple for minimum count, must divide")
        if self.max_count % self.count_multiple:
            raise _bad("Invalid count multiple for maximum count, must divide")

    def parsed(self) -> Query:
        """Raises MatchmakerError."""
        try:
            return parse(self.query) if self.query else EVERYTHING
        except QueryError:
            raise MatchmakerError("matchmaker query invalid") from None


def search_of(message: MatchmakerAdd | PartyMatchmakerAdd) -> Search:
    """What a message asks for. Not checked yet."""
    return Search(
        message.min_count,
        message.max_count,
        1 if message.count_multiple is None else message.count_multiple,
        message.query or "*",
        message.string_properties,
        message.numeric_properties,
    )


Tier = tuple[Query, ...]
"""Queries whose matches are equally good."""


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """One search in the pool. `number` rises with every ticket, so it tells who has waited longest."""

    id: str
    number: int
    presences: tuple[UserPresence, ...]
    party_id: str
    search: Search
    created_at: float
    """Unix seconds."""
    query: Query
    fields: Fields
    tiers: tuple[Tier, ...] | None
    """The query, split by how well it is met, best first; None if that would be too many queries."""
    automata: tuple[Automaton, ...]
    sessions: frozenset[str]

    @property
    def work(self) -> int:
        """What the patterns of its query have cost so far."""
        return sum(automaton.work for automaton in self.automata)

    @property
    def size(self) -> int:
        return len(self.presences)

    def clashes(self, sessions: frozenset[str] | set[str]) -> bool:
        """Whether one of its sessions is among these."""
        return not self.sessions.isdisjoint(sessions)


def open_ticket(
    ticket_id: str,
    number: int,
    presences: tuple[UserPresence, ...],
    party_id: str,
    search: Search,
    now: float,
) -> Ticket:
    """Raises MatchmakerError for a bad query, and for nobody or the same session twice."""
    query = search.parsed()
    sessions = frozenset(each.session_id for each in presences)
    if not presences or len(sessions) != len(presences):
        raise MatchmakerError("matchmaker duplicate session")
    fields: dict[str, Value] = {
        "ticket": ticket_id,
        "min_count": search.min_count,
        "max_count": search.max_count,
        "created_at": now * 1e9,
    }
    if party_id:
        fields["party_id"] = party_id
    for name, text in search.string_properties.items():
        fields[f"properties.{name}"] = text
    for name, value in search.numeric_properties.items():  # a number hides a text of the same name
        fields[f"properties.{name}"] = value
    return Ticket(
        ticket_id,
        number,
        presences,
        party_id,
        search,
        now,
        query,
        fields,
        tiers_of(query),
        query.automata,
        sessions,
    )


def tiers_of(query: Query) -> tuple[Tier, ...] | None:
    """Split a query by which of its should clauses hold, into queries without any."""
    if not query.should:
        return ((query,),)
    if len(query.should) > MAX_TIERED:
        return None
    tiers: dict[float, list[Query]] = {}
    every = range(len(query.should))
    for held in _subsets(every, 0 if query.must else 1):
        must = (*query.must, *(query.should[each] for each in held))
        others = (query.should[each] for each in every if each not in held)
        total = sum(clause.boost for clause in must)
        tiers.setdefault(total, []).append(Query(must, (), (*query.must_not, *others)))
    return tuple(tuple(tiers[total]) for total in sorted(tiers, reverse=True))


def _subsets(items: range, least: int) -> Iterator[tuple[int, ...]]:
    for size in range(least, len(items) + 1):
        yield from combinations(items, size)


def _bad(text: str) -> RequestError:
    return RequestError(ErrorCode.BAD_INPUT, text)
