"""The match that `lockgate swarm --scenario arena` plays in: what players send comes back at the next tick.

Half of it goes to everybody and half to its sender only, as in the benchmark that the reference publishes, so
that the two can be put side by side.
"""

from collections.abc import Sequence
from enum import IntEnum

from server.runtime import Caller, Input, Match, rpc, server


class Op(IntEnum):
    """Who is to hear an input."""

    ALL = 7
    SENDER = 8


class SwarmArena(Match):
    """It keeps nothing, and ends when everybody has left."""

    tick_rate = 10

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            if each.op_code == Op.ALL:
                self.dispatcher.broadcast(Op.ALL, each.data)
            elif each.op_code == Op.SENDER:
                self.dispatcher.broadcast(Op.SENDER, each.data, to=[each.player])


@rpc
async def swarm_arena(caller: Caller, payload: str) -> dict[str, str]:
    """A new match for the group that the payload names; only its first member asks."""
    return {"match_id": await server.create_match(SwarmArena)}
