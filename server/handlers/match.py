"""Relayed matches: create, join, leave, and data between members."""

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchCreate, MatchDataSend, MatchJoin, MatchLeave, UserPresence
from server.effects import Effects
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(MatchCreate)
def create(world: World, me: UserPresence, message: MatchCreate) -> Effects:
    return world.matches.create(me, message.name, world.new_id())


@routes.on(MatchJoin)
def join(world: World, me: UserPresence, message: MatchJoin) -> Effects:
    if message.token is not None:
        match_id = world.match_tokens.match_id(message.token)
        if match_id is None:
            raise RequestError(ErrorCode.BAD_INPUT, "Invalid match token")
        return world.matches.join_invited(me, match_id)
    if message.match_id is None:
        raise RequestError(ErrorCode.BAD_INPUT, "No match ID or token found")
    return world.matches.join(me, message.match_id)


@routes.on(MatchLeave)
def leave(world: World, me: UserPresence, message: MatchLeave) -> Effects:
    return world.matches.leave(me, message.match_id)


@routes.on(MatchDataSend)
def send(world: World, me: UserPresence, message: MatchDataSend) -> Effects:
    return world.matches.send(me, message)
