"""A match that does whatever must not hurt others, and one that is honest."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from server.runtime import Caller, Input, Match, Player, rpc, server

HOARD: list[bytearray] = []
"""What the matches that allocate hold; a test that lets them must clear it."""


class Honest(Match):
    """Sends everything back, and the number of each tick."""

    tick_rate = 20

    def tick(self, inputs: Sequence[Input]) -> None:
        for each in inputs:
            self.dispatcher.broadcast(1, each.data, sender=each.player)
        self.dispatcher.broadcast(2, str(self.context.tick))


class Faulty(Match):
    """Does what it was made for: `at` names the callback, `does` the fault."""

    tick_rate = 20

    def init(self, params: Mapping[str, Any]) -> None:
        self.at = str(params["at"])
        self.does = str(params["does"])
        self.gone: list[Player] = []
        self.swallowed = 0
        self._act("init")

    def join_attempt(self, player: Player, metadata: Mapping[str, str]) -> bool | str:
        return cast(bool, 7 if self._act("join_attempt") else True)

    def join(self, players: Sequence[Player]) -> None:
        self._act("join")

    def leave(self, players: Sequence[Player]) -> None:
        self.gone += players
        self._act("leave")

    def tick(self, inputs: Sequence[Input]) -> Any:
        if self.does == "tell the gone":
            self.dispatcher.broadcast(1, "are you there?", to=self.gone)
            self.dispatcher.kick(self.gone)
            return None
        return self._act("tick") if self.players else None

    def signal(self, data: str) -> str:
        return cast(str, self._act("signal"))

    def snapshot(self) -> Any:
        self._act("snapshot")

    def restore(self, state: Any) -> None: ...

    def _act(self, where: str) -> object:
        return getattr(self, f"do_{self.does}")() if where == self.at else None

    def do_sleep(self) -> None:
        time.sleep(0.2)

    def do_raise(self) -> None:
        raise RuntimeError

    def do_exit(self) -> None:
        raise SystemExit(1)

    def do_cancel(self) -> None:
        raise asyncio.CancelledError

    def do_return(self) -> object:
        return {"this": "is not asked for"}

    def do_label(self) -> None:
        self.dispatcher.set_label("x" * 5000)

    def do_loop(self) -> None:
        while True:
            pass

    def do_hide(self) -> None:
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                self.swallowed += 1

    def do_wait(self) -> None:
        time.sleep(60)

    def do_hoard(self) -> None:
        while True:
            HOARD.append(bytearray(1_000_000))

    def do_leak(self) -> None:
        HOARD.append(bytearray(2_000_000))

    def do_outgrow(self) -> None:
        raise MemoryError


@rpc
async def create_faulty(caller: Caller, payload: str) -> str:
    return await server.create_match(Faulty, json.loads(payload))


@rpc
async def create_honest(caller: Caller, payload: str) -> str:
    return await server.create_match(Honest)


@rpc
async def ask(caller: Caller, payload: str) -> str:
    return await server.signal(payload)


@rpc
async def block(caller: Caller, payload: str) -> str:
    return await block_within()


async def block_within() -> str:
    while True:
        pass


@rpc
def block_at_once(caller: Caller, payload: str) -> str:
    while True:
        pass
