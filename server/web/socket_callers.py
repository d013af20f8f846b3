"""Who asks for a socket: the one place that looks for credentials in a request for `/ws`.

Four ways, and the first that is present decides, good or bad: `Authorization: Bearer`, the sub-protocol
`bearer.<session token>` beside `game.v1`, a one-time ticket in the query, a session token in the query.
A cookie is none of them. What is read here may go nowhere else, least of all into a log.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from server.identity.tokens import SessionClaims
from server.web.reading import credentials

SUBPROTOCOL = "game.v1"
BEARER = "bearer."


@dataclass(frozen=True, slots=True)
class Caller:
    """A player, and the sub-protocol that their client must be told."""

    claims: SessionClaims
    subprotocol: str | None


class SocketCallers:
    """Finds out who is calling, from the check of session tokens and the redeeming of tickets."""

    def __init__(
        self,
        check_session: Callable[[str], SessionClaims | None],
        redeem: Callable[[str], SessionClaims | None],
    ) -> None:
        self._check_session = check_session
        self._redeem = redeem

    def of(self, request: web.Request) -> Caller | None:
        """Who calls; None if nobody says so, or not well. Tickets are used up, whichever way decides."""
        by_ticket = self.spend_tickets(request)
        offered = _offered(request)
        bearers = [name.removeprefix(BEARER) for name in offered if name.startswith(BEARER)]
        token = credentials(request, "Bearer")
        if token is None and bearers:
            token = bearers[0] if len(bearers) == 1 and SUBPROTOCOL in offered else ""
        if token is None and "ticket" in request.query:
            claims = by_ticket
        else:
            token = request.query.get("token", "") if token is None else token
            claims = self._check_session(token) if token else None
        if claims is None:
            return None
        return Caller(claims, SUBPROTOCOL if SUBPROTOCOL in offered else None)

    def spend_tickets(self, request: web.Request) -> SessionClaims | None:
        """Use up every ticket that a request shows. Whom it stands for, if it is exactly one and counts."""
        shown = request.query.getall("ticket", [])
        found = [self._redeem(ticket) for ticket in shown]
        return found[0] if len(found) == 1 else None


def _offered(request: web.Request) -> list[str]:
    """The sub-protocols in the order offered; several header lines are one list (RFC 6455 section 11.3.4)."""
    lines = request.headers.getall("Sec-WebSocket-Protocol", [])
    return [name.strip() for line in lines for name in line.split(",")]
