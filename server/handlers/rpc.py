"""Remote calls, by id: the functions that the server itself offers come before those of the game."""

from collections.abc import Awaitable, Callable, Mapping

from protocol import session_refresh as wire
from protocol.errors import ErrorCode, RequestError
from protocol.messages import Rpc, UserPresence
from server.core.function import FunctionError, NoSuchFunction
from server.effects import Effects, Reply
from server.handlers.session_refresh import session_refresh
from server.routes import Routes
from server.world import World, caller_of

routes = Routes()

Function = Callable[[World, UserPresence, str], Awaitable[str]]
"""Takes the caller and a payload, and gives the answer's payload. Raises RequestError."""

BUILT_IN: Mapping[str, Function] = {wire.NAME: session_refresh}


@routes.on(Rpc)
async def call(world: World, me: UserPresence, message: Rpc) -> Effects:
    if not message.id:
        raise RequestError(ErrorCode.BAD_INPUT, "RPC ID must be set")
    function = BUILT_IN.get(message.id.lower(), _of_the_game(message.id))
    return [Reply(Rpc(id=message.id, payload=await function(world, me, message.payload)))]


def _of_the_game(name: str) -> Function:
    async def function(world: World, me: UserPresence, payload: str) -> str:
        try:
            return await world.functions.call(name, caller_of(me, world.connected[me.session_id]), payload)
        except NoSuchFunction:
            raise RequestError(ErrorCode.RUNTIME_FUNCTION_NOT_FOUND, "RPC function not found") from None
        except FunctionError as error:
            raise RequestError(ErrorCode.RUNTIME_FUNCTION_EXCEPTION, error.message) from None

    return function
