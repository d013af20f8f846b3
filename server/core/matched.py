"""What the players of a match are told that the matchmaker has made."""

from protocol.messages import MatchmakerMatched, MatchmakerUser
from server.core.grouping import Group
from server.effects import Deliver, Effects


def users_of(group: Group) -> tuple[MatchmakerUser, ...]:
    """All players with what they asked with: those who were found, then those of the ticket that searched."""
    return tuple(
        MatchmakerUser(
            presence=presence,
            party_id=ticket.party_id,
            string_properties=dict(ticket.search.string_properties),
            numeric_properties=dict(ticket.search.numeric_properties),
        )
        for ticket in group.tickets
        for presence in ticket.presences
    )


def announce(
    group: Group,
    users: tuple[MatchmakerUser, ...],
    *,
    match_id: str | None = None,
    token: str | None = None,
) -> Effects:
    """Tell each player their ticket, everybody, and where to play: `match_id` or `token`, never both."""
    tickets = [ticket.id for ticket in group.tickets for _ in ticket.presences]
    effects: Effects = []
    for ticket_id, user in zip(tickets, users, strict=True):
        told = MatchmakerMatched(ticket=ticket_id, match_id=match_id, token=token, users=users, self=user)
        if user.presence is not None:
            effects.append(Deliver((user.presence.session_id,), told))
    return effects
