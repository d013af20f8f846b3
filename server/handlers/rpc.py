"""Remote calls. No functions can be registered yet, so every id is unknown."""

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Rpc, UserPresence
from server.effects import Effects
from server.routes import Routes
from server.world import World

routes = Routes()


@routes.on(Rpc)
def call(_world: World, _me: UserPresence, message: Rpc) -> Effects:
    if not message.id:
        raise RequestError(ErrorCode.BAD_INPUT, "RPC ID must be set")
    raise RequestError(ErrorCode.RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found")
