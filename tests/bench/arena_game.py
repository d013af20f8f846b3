"""The game that `arenas.py` lets a server load: the example's arena at two rates, and an empty match."""

from collections.abc import Sequence

from examples.arena import Arena
from server.runtime import Caller, Input, Match, rpc, server


class Arena20(Arena):
    round_s = 36_000.0


class Arena10(Arena):
    tick_rate = 10
    round_s = 36_000.0


class Empty10(Match):
    def tick(self, inputs: Sequence[Input]) -> None:
        pass


@rpc
async def create(caller: Caller, payload: str) -> str:
    return await server.create_match(payload)
