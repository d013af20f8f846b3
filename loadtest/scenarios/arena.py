"""Authoritative matches: players send inputs, game code on the server tells all, or answers the sender.

The server must run game code that offers the remote call named in `rpc`: asked with a name it gives the id of
the match of that name, as text or as {"match_id": …}. What it receives with op code 7 it sends to all members
at its next tick, what it receives with 8 to the sender only. `examples/swarm_arena.py` is that for Lockgate.
"""

import json
from typing import Annotated

from msgspec import Meta

from loadtest.failures import ErrorReply, SwarmError
from loadtest.places import OP_CODE_ALONE, ArenaRoom
from loadtest.player import Player
from loadtest.scenario import Settings, scenario
from protocol.errors import ErrorCode
from protocol.message import Message
from protocol.messages import Rpc


class ArenaSettings(Settings, frozen=True):
    measures = "deliver"

    match_size: Annotated[int, Meta(ge=1, le=1000, description="players per match")] = 10
    rate: Annotated[float, Meta(gt=0, le=1000, description="inputs a second and player")] = 2.0
    payload_bytes: Annotated[int, Meta(ge=30, le=65536, description="data of an input")] = 48
    rpc: Annotated[str, Meta(description="remote call that gives the id of a match by name")] = "swarm_arena"

    @property
    def group_size(self) -> int:
        return self.match_size


class AloneRoom(ArenaRoom):
    """What the match answers to its sender only."""

    op_code = OP_CODE_ALONE

    def note(self, message: Message) -> None:
        """Nobody else is in this place."""


@scenario
async def arena(player: Player, settings: ArenaSettings) -> None:
    """matches run by game code: half of the inputs go to all, half come back"""

    async def made() -> str:
        reply = await player.ask(Rpc(id=settings.rpc, payload=json.dumps(player.group.name)))
        if not isinstance(reply, Rpc):
            raise SwarmError("the server answered a remote call with something else")
        return _match_id(reply.payload)

    match_id = await player.group.once("match_id", made)
    everybody = ArenaRoom(player, player.group.topic("match", echoes=True), settings.payload_bytes)
    alone = AloneRoom(
        player, player.group.topic(f"alone-{player.index}", echoes=True), settings.payload_bytes
    )
    try:
        await player.enter(everybody)
    except ErrorReply as error:
        # Everybody had left, and the match has ended: game code makes another one.
        if error.code != ErrorCode.MATCH_NOT_FOUND:
            raise
        player.group.forget("match_id", match_id)
        await player.group.once("match_id", made)
        await player.enter(everybody)
    alone.share(everybody)
    async for due_ns in player.beats(settings.rate):
        (everybody if player.random.random() < 0.5 else alone).say(due_ns)


def _match_id(payload: str) -> str:
    try:
        found = json.loads(payload)
    except ValueError:
        return payload
    return str(found.get("match_id", "")) if isinstance(found, dict) else str(found)
