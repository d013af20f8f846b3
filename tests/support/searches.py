"""Tickets as tests want them: players by number, searches in few words."""

from collections.abc import Mapping

from protocol.messages import UserPresence
from server.core.ticket import Search, Ticket, open_ticket

NOW = 1_800_000_000.0


def player(number: int) -> UserPresence:
    return UserPresence(user_id=f"user {number}", session_id=f"session {number}", username=f"name{number}")


def search(
    least: int = 2,
    most: int = 2,
    query: str = "*",
    multiple: int = 1,
    texts: Mapping[str, str] | None = None,
    numbers: Mapping[str, float] | None = None,
) -> Search:
    return Search(least, most, multiple, query, texts or {}, numbers or {})


def ticket(number: int, wanted: Search | None = None, *, size: int = 1, party_id: str = "") -> Ticket:
    """The ticket of players 100 n, 100 n + 1 and so on."""
    presences = tuple(player(100 * number + each) for each in range(size))
    return open_ticket(f"ticket {number}", number, presences, party_id, wanted or search(), NOW)
