"""What browsers need beside tokens in headers, built together: tickets, callers of sockets, the cookie."""

from dataclasses import dataclass

from server.clock import Clock
from server.identity.tickets import Tickets
from server.identity.tokens import Tokens
from server.ids import Ids
from server.sections import SessionSettings
from server.web.cookies import RefreshCookies
from server.web.socket_callers import SocketCallers


@dataclass(frozen=True, slots=True)
class Browsers:
    """One of each for the process, shared by its listeners."""

    tickets: Tickets
    callers: SocketCallers
    cookies: RefreshCookies

    @classmethod
    def serve(
        cls,
        settings: SessionSettings,
        allowed_origins: tuple[str, ...],
        tokens: Tokens,
        clock: Clock,
        ids: Ids,
    ) -> "Browsers":
        """As configured, all resting on the checks of `tokens`."""
        tickets = Tickets(tokens.still_good, clock, ids, max_tickets=settings.tickets_max)
        return cls(
            tickets,
            SocketCallers(tokens.check_session, tickets.redeem),
            RefreshCookies(settings.cookie, allowed_origins, tokens, clock),
        )
