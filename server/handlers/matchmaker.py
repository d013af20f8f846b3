"""Searches for others to play with: begin one, withdraw it."""

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchmakerAdd, MatchmakerRemove, MatchmakerTicket, UserPresence
from server.core.ticket import MatchmakerError, Search
from server.effects import Effects, Reply
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(MatchmakerAdd)
def add(world: World, me: UserPresence, message: MatchmakerAdd) -> Effects:
    search = Search(
        message.min_count,
        message.max_count,
        1 if message.count_multiple is None else message.count_multiple,
        message.query or "*",
        message.string_properties,
        message.numeric_properties,
    )
    ticket_id = world.new_id()
    try:
        world.matchmaker.add(ticket_id, (me,), search, world.now())
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
