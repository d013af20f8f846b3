"""Remote calls: the functions that the server itself offers, by id. Their ids come before any of a game."""

from collections.abc import Awaitable, Callable, Mapping

from protocol import session_refresh as wire
from protocol.errors import ErrorCode, RequestError
from protocol.messages import Rpc, UserPresence
from server.effects import Effects, Reply
from server.handlers.session_refresh import session_refresh
from server.routes import Routes
from server.world import World

routes = Routes()

Function = Callable[[World, UserPresence, str], Awaitable[str]]
"""Takes the caller and a payload, and gives the answer's payload. Raises RequestError."""

BUILT_IN: Mapping[str, Function] = {wire.NAME: session_refresh}


@routes.on(Rpc)
async def call(world: World, me: UserPresence, message: Rpc) -> Effects:
    if not message.id:
        raise RequestError(ErrorCode.BAD_INPUT, "RPC ID must be set")
    function = BUILT_IN.get(message.id.lower())
    if function is None:
        raise RequestError(ErrorCode.RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found")
    return [Reply(Rpc(id=message.id, payload=await function(world, me, message.payload)))]
