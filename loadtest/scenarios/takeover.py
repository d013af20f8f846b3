"""Takeover fights: one user opens socket after socket, or several at once; one of them may stay."""

import asyncio
from typing import Annotated

from msgspec import Meta

from loadtest.failures import SwarmError
from loadtest.pacer import NS
from loadtest.player import Player
from loadtest.scenario import Settings, scenario
from loadtest.socket import Socket, State
from loadtest.takeovers import GRACE_NS


class TakeoverSettings(Settings, frozen=True):
    measures = "kick"

    rate: Annotated[float, Meta(gt=0, le=100, description="takeovers a second and player")] = 1.0
    at_once: Annotated[int, Meta(ge=1, le=100, description="sockets opened at the same moment")] = 1


@scenario
async def takeover(player: Player, settings: TakeoverSettings) -> None:
    """one user on many sockets: the newest wins, the others must be closed"""
    async for due_ns in player.beats(settings.rate):
        if settings.at_once == 1:
            await player.connect(due_ns)
        else:
            await fight(player, settings.at_once, due_ns)


async def fight(player: Player, sockets: int, due_ns: int) -> None:
    """Open several at once. After the grace exactly one of all is open: the player goes on with that one."""
    common, older = player.common, player.socket
    if player.tokens is None:
        raise SwarmError("a player must sign in first")
    token = player.tokens.token
    player.socket = None
    opened = await asyncio.gather(
        *(common.dialer.dial(player.ear, token, due_ns) for _ in range(sockets)), return_exceptions=True
    )
    fighters = [each for each in (older, *opened) if isinstance(each, Socket)]
    begun_ns = player.now_ns()
    await player.rest(GRACE_NS / NS)
    if player.now_ns() - begun_ns < GRACE_NS:
        return  # the stay has ended: too early to tell
    alive = [each for each in fighters if each.state is State.OPEN]
    common.ledger.two_sockets += max(len(alive) - 1, 0)
    player.count("fights")
    if not alive:
        raise SwarmError("no socket of a user survived the fight for it")
    for each in fighters:
        if each.closed_ns:
            common.timings["kick"].record(begun_ns, begun_ns, max(each.closed_ns, begun_ns))
    for each in alive[:-1]:
        each.abort()
    player.socket = alive[-1]
