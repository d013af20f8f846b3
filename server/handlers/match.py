"""Matches, relayed and run by the server: create, join, leave, and data between members.

An id with a node behind its dot is of a match that the server runs.
"""

import asyncio

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchCreate, MatchDataSend, MatchJoin, MatchLeave, UserPresence
from server.core.live_match import JoinRefused, NoSuchMatch, live_id, live_stream
from server.effects import Effects, Stream
from server.routes import Handled, Routes
from server.world import World

routes = Routes()

JOIN_WAIT_S = 10
"""How long a match may think about somebody who wants to join."""


@routes.on(MatchCreate)
def create(world: World, me: UserPresence, message: MatchCreate) -> Effects:
    return world.matches.create(me, message.name, world.new_id())


@routes.on(MatchJoin)
def join(world: World, me: UserPresence, message: MatchJoin) -> Handled:
    match_id = message.match_id
    if message.token is not None:
        match_id = world.match_tokens.match_id(message.token)
        if match_id is None:
            raise RequestError(ErrorCode.BAD_INPUT, "Invalid match token")
    if match_id is None:
        raise RequestError(ErrorCode.BAD_INPUT, "No match ID or token found")
    stream = live_stream(match_id)
    if stream is not None:
        return _join_live(world, me, match_id, stream, message)
    invited = message.token is not None
    joined = (world.matches.join_invited if invited else world.matches.join)(me, match_id)
    return [*joined, *_leave_others(world, me, world.matches.stream_of(match_id))]


async def _join_live(
    world: World, me: UserPresence, match_id: str, stream: Stream, message: MatchJoin
) -> Effects:
    members, canonical = world.live_members, live_id(stream)
    known = members.contains(stream, me.session_id)
    try:
        if known:
            label = world.live_matches.label(canonical)
        else:
            members.check_room(me)
            async with asyncio.timeout(JOIN_WAIT_S):
                label = await world.live_matches.join(me, canonical, message.metadata)
    except NoSuchMatch:
        raise RequestError(ErrorCode.MATCH_NOT_FOUND, "Match not found") from None
    except JoinRefused as refused:
        raise RequestError(ErrorCode.MATCH_JOIN_REJECTED, refused.reason) from None
    except TimeoutError:
        raise RequestError(ErrorCode.MATCH_JOIN_REJECTED, JoinRefused().reason) from None
    # Nothing is awaited between the match's yes and this: whoever is let in is a member at once.
    return [*members.enter(me, stream, match_id, label), *_leave_others(world, me, stream)]


def _leave_others(world: World, me: UserPresence, joined: Stream) -> Effects:
    """With one match at a time, joining one is leaving the others: who is there is told, the leaver not."""
    if not world.single_match:
        return []
    return [*world.matches.leave_all(me, but=joined), *world.live_members.leave_all(me, but=joined)]


@routes.on(MatchLeave)
def leave(world: World, me: UserPresence, message: MatchLeave) -> Effects:
    stream = live_stream(message.match_id)
    if stream is not None:
        return world.live_members.leave(me, stream)
    return world.matches.leave(me, message.match_id)


@routes.on(MatchDataSend)
def send(world: World, me: UserPresence, message: MatchDataSend) -> Effects:
    if message.match_id.endswith("."):  # most are relayed, and need no parsing
        return world.matches.send(me, message)
    stream = live_stream(message.match_id)
    if stream is None:
        return world.matches.send(me, message)
    if world.live_members.contains(stream, me.session_id):
        world.live_matches.receive(me, message)
    return []
