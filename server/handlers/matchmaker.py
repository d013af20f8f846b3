"""Searches for others to play with: begin one, withdraw it."""

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchmakerAdd, MatchmakerRemove, MatchmakerTicket, UserPresence
from server.core.ticket import MatchmakerError, search_of
from server.effects import Effects, Reply
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(MatchmakerAdd)
def add(world: World, me: UserPresence, message: MatchmakerAdd) -> Effects:
    ticket_id = world.new_id()
    try:
        world.matchmaker.add(ticket_id, (me,), search_of(message), world.now())
    except MatchmakerError:
        raise RequestError(ErrorCode.RUNTIME_EXCEPTION, "Error adding to matchmaker") from None
    return [Reply(MatchmakerTicket(ticket=ticket_id))]


@routes.on(MatchmakerRemove)
def remove(world: World, me: UserPresence, message: MatchmakerRemove) -> Effects:
    if not message.ticket:
        raise RequestError(ErrorCode.BAD_INPUT, "Invalid matchmaker ticket")
    try:
        world.matchmaker.remove(me.session_id, message.ticket)
    except MatchmakerError:
        raise RequestError(ErrorCode.BAD_INPUT, "Matchmaker ticket not found") from None
    return [Reply()]
