"""Ping and pong."""

from protocol.messages import Ping, Pong, UserPresence
from server.effects import Effects, Reply
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(Ping)
def ping(_world: World, _me: UserPresence, _message: Ping) -> Effects:
    return [Reply(Pong())]


@routes.on(Pong)
def pong(_world: World, _me: UserPresence, _message: Pong) -> Effects:
    return []
