"""The built-in remote call by which a socket refreshes its own login (`protocol/session_refresh.py`)."""

from protocol.messages import UserPresence
from protocol.session_refresh import Noted, Refreshed, decode_request, encode_answer
from server.world import World


async def session_refresh(world: World, me: UserPresence, payload: str) -> str:
    """The answer's payload. Raises RequestError."""
    request = decode_request(payload)
    if request.token:
        pair = await world.live_logins.refresh(me.session_id, request.token, request.vars or {})
        return encode_answer(Refreshed(token=pair.token, refresh_token=pair.refresh_token))
    return encode_answer(Noted(world.live_logins.show(me.session_id, request.session_token or "")))
