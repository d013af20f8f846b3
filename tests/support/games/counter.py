"""A match that counts its ticks and can go on after a restart."""

from collections.abc import Sequence
from typing import Any

from server.runtime import Caller, Input, Match, Player, rpc, server


class Counter(Match):
    """Tells everybody the number of ticks, ten times a second, and adds what players send."""

    def init(self, params: Any) -> None:
        self.count = 0
        self.sum = 0

    def join(self, players: Sequence[Player]) -> None:
        self.dispatcher.broadcast(1, "joined", to=players)

    def reconnect(self, player: Player, was: Player) -> None:
        self.dispatcher.broadcast(1, "back", to=[player])

    def tick(self, inputs: Sequence[Input]) -> None:
        self.count += 1
        self.sum += sum(int(each.data) for each in inputs)
        self.dispatcher.broadcast(2, {"count": self.count, "sum": self.sum})

    def snapshot(self) -> Any:
        return [self.count, self.sum]

    def restore(self, state: Any) -> None:
        self.count, self.sum = state


@rpc
async def create(caller: Caller, payload: str) -> str:
    return await server.create_match(Counter)
