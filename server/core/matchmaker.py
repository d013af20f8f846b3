"""Who plays with whom: tickets come and go, and in each round the active ones search the pool.

A ticket searches for a few rounds and then only waits to be found. Rounds are worked off in steps of bounded
cost. Ids and time come in as arguments and nothing is drawn by chance: the same calls give the same matches.
What the matched are told is `matched.py`'s business, and when a round begins `server/matchmaking.py`'s.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.messages import UserPresence
from server.core.grouping import Group, Grouping
from server.core.ticket import MatchmakerError, Search, Ticket, open_ticket
from server.core.ticket_pool import WORK_PER_LOOK, TicketPool
from server.effects import Effects

SEARCH_COST = 20
"""What a search costs besides the tickets that it looks at, in the same unit."""
MAX_WORK = 200_000
"""What a search may cost besides looking (`Grouping.work`, `Automaton.work`): some tens of milliseconds. Then
it makes do with whom it has found: thousands of players, or over a hundred of whom all pairs must match."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_tickets` is for a session or a party, `pool` for all together.

    After `max_intervals` rounds a ticket makes do with its minimum. With `rev_precision` each ticket of
    a match matches the queries of all the others.
    """

    max_tickets: int = 3
    max_intervals: int = 2
    rev_precision: bool = False
    pool: int = 60_000


class Matchmaker:
    """The tickets of all players. Begin a round at each interval and call `work` until it is over."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tickets: dict[str, Ticket] = {}
        self._pool = TicketPool()
        self._active: dict[str, int] = {}
        """Rounds that each searching ticket has behind it, in the order of the tickets."""
        self._due: deque[str] = deque()
        """Tickets whose turn in this round is still to come."""
        self._in_vain: set[tuple[str, int, int, int, bool]] = set()
        """What was asked in this round and found nobody."""
        self._of_session: dict[str, dict[str, None]] = {}
        self._of_party: dict[str, dict[str, None]] = {}
        self._numbers = 0
        self.added = self.removed = self.matched = self.groups = self.rounds = self.searches = 0
        """Tickets added, withdrawn and matched; matches made; rounds begun; searches."""
        self.waited_s = 0.0
        """How long the matched had waited, in sum."""
        self.refused = 0
        """Tickets not taken because the pool was full."""

    def __len__(self) -> int:
        return len(self._tickets)

    @property
    def active(self) -> int:
        """Tickets that search; the others wait to be found."""
        return len(self._active)

    @property
    def looked(self) -> int:
        """Tickets that searches have looked at, and what they cost besides in the same unit."""
        return self._pool.looked

    @property
    def cut(self) -> int:
        """Searches that ended before they had seen everyone."""
        return self._pool.cut

    # ---- tickets

    def add(
        self,
        ticket_id: str,
        presences: Sequence[UserPresence],
        search: Search,
        now: float,
        party_id: str = "",
    ) -> Ticket:
        """Begin a search for a player, or for the members of a party. `now`: Unix seconds.

        Raises RequestError for bad counts, MatchmakerError for a bad query and for too many tickets.
        """
        search.check()
        ticket = open_ticket(ticket_id, self._numbers, tuple(presences), party_id, search, now)
        owners = [self._of_session.get(session_id, {}) for session_id in ticket.sessions]
        owners.append(self._of_party.get(party_id, {}) if party_id else {})
        if max(map(len, owners)) >= self._limits.max_tickets:
            raise MatchmakerError("matchmaker too many tickets")
        if len(self._tickets) >= self._limits.pool:
            self.refused += 1
            raise MatchmakerError("matchmaker full")
        self._numbers += 1
        self.added += 1
        self._tickets[ticket_id] = ticket
        self._active[ticket_id] = 0
        self._pool.add(ticket)
        for session_id in ticket.sessions:
            self._of_session.setdefault(session_id, {})[ticket_id] = None
        if party_id:
            self._of_party.setdefault(party_id, {})[ticket_id] = None
        return ticket

    def remove(self, session_id: str, ticket_id: str) -> None:
        """A player withdraws a ticket of their own. Raises MatchmakerError; a party's is not theirs."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None or ticket.party_id or session_id not in ticket.sessions:
            raise MatchmakerError("matchmaker ticket not found")
        self._withdraw(ticket)

    def remove_of_party(self, party_id: str, ticket_id: str) -> None:
        """A party withdraws a ticket. Raises MatchmakerError."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None or not party_id or ticket.party_id != party_id:
            raise MatchmakerError("matchmaker ticket not found")
        self._withdraw(ticket)

    def close(self, me: UserPresence) -> Effects:
        """A session ends, and with it every ticket that it is part of. Nobody is told."""
        for ticket_id in tuple(self._of_session.get(me.session_id, ())):
            self._withdraw(self._tickets[ticket_id])
        return []

    def close_party(self, party_id: str) -> None:
        """A party ends or changes, and with it its tickets."""
        for ticket_id in tuple(self._of_party.get(party_id, ())):
            self._withdraw(self._tickets[ticket_id])

    def clear(self) -> None:
        """Withdraw every ticket: the server stops."""
        for ticket in tuple(self._tickets.values()):
            self._withdraw(ticket)

    # ---- rounds

    @property
    def working(self) -> bool:
        """Whether the round is not over."""
        return bool(self._due)

    def begin_round(self) -> None:
        """Every active ticket is to search once. Call `work` until `working` is false."""
        if self._due:
            raise AssertionError("the last round is not over")
        self.rounds += 1
        self._in_vain.clear()
        self._due.extend(self._active)

    def work(self, steps: int, now: float) -> list[Group]:
        """Go on with the round for about so many tickets looked at. Returns the matches made."""
        made: list[Group] = []
        until = self.looked + steps
        while self._due and self.looked < until:
            ticket_id = self._due.popleft()
            rounds = self._active.get(ticket_id)
            if rounds is not None:
                group = self._turn(self._tickets[ticket_id], rounds + 1)
                if group is not None:
                    made.append(group)
                    self._take(group, now)
        return made

    def _turn(self, ticket: Ticket, rounds: int) -> Group | None:
        search = ticket.search
        last = rounds >= self._limits.max_intervals or search.min_count == search.max_count
        if last:
            del self._active[ticket.id]
        else:
            self._active[ticket.id] = rounds
        self.searches += 1
        self._pool.looked += SEARCH_COST
        grouping = Grouping(ticket, mutual=self._limits.rev_precision)
        asked = (search.query, search.min_count, search.max_count, ticket.size, last)
        if asked in self._in_vain:
            return None
        group = self._search(ticket, grouping, search.min_count if last else search.max_count)
        # Packing holds the loop as looking does, and what is asked of every pair is most of it.
        self._pool.looked += grouping.work // WORK_PER_LOOK
        if group is not None:
            return group
        if not grouping.work:
            self._in_vain.add(asked)
        return grouping.settle() if last else None

    def _search(self, ticket: Ticket, grouping: Grouping, least: int) -> Group | None:
        """Offer candidates until a group is full, or as many as one search may cost."""
        allowed = ticket.work + MAX_WORK
        for candidate in self._pool.candidates(ticket, least):
            group = grouping.offer(candidate)
            if group is not None:
                return group
            if grouping.work > MAX_WORK or ticket.work > allowed:
                break
        return None

    def _take(self, group: Group, now: float) -> None:
        self.groups += 1
        for ticket in group.tickets:
            self.matched += 1
            self.waited_s += max(0.0, now - ticket.created_at)
            self._drop(ticket)

    def _withdraw(self, ticket: Ticket) -> None:
        self.removed += 1
        self._drop(ticket)

    def _drop(self, ticket: Ticket) -> None:
        del self._tickets[ticket.id]
        self._active.pop(ticket.id, None)
        self._pool.remove(ticket)
        for session_id in ticket.sessions:
            _forget(self._of_session, session_id, ticket.id)
        if ticket.party_id:
            _forget(self._of_party, ticket.party_id, ticket.id)


def _forget(owners: dict[str, dict[str, None]], owner: str, ticket_id: str) -> None:
    owned = owners[owner]
    del owned[ticket_id]
    if not owned:
        del owners[owner]
