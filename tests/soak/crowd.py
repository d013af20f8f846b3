"""What all players of a soak share: where the server is, who they are to it, and what is counted of them."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import TypeVar, cast

from loadtest.failures import SwarmError
from loadtest.histogram import Histogram
from loadtest.socket import Listener, Socket
from protocol.envelope import Format
from protocol.messages import Match, MatchCreate
from tests.soak.ledger import Ledger
from tests.soak.plan import Plan

P = TypeVar("P", bound=Socket)

CONNECT_S = 20.0
NARROW_SEGMENT = 1400
"""Bytes, as on a path through the internet; over loopback the kernel would take megabytes for a peer."""
NARROW_BUFFER = 4096
_AT_ONCE = 64


class Crowd:
    """Counts by plain names: what is expected in `seen`, what must not be in `faults`."""

    def __init__(self, plan: Plan, port: int, tokens: Sequence[str]) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        self.ledger = Ledger()
        self.seen: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.latency = Histogram()
        """Of the whole run, and of the time since the last line."""
        self.recent = Histogram()
        self.found_s: list[float] = []
        """How long each half-open peer was taken for alive."""
        self._port = port
        self._tokens = tokens
        self._awaited: dict[str, asyncio.Event] = {}
        self._connecting = asyncio.Semaphore(_AT_ONCE)

    async def dial(self, kind: type[P], number: int, listener: Listener, *, narrow: bool = False) -> P:
        """Open this player's socket. `narrow`: the kernels keep little for it. Raises SwarmError."""
        form = Format.PROTOBUF if number % 3 == 0 else Format.JSON
        target = f"/ws?token={self._tokens[number]}&format={form.name.lower()}&status=true"
        made = kind(listener, ("soak", target), self.random, time.monotonic_ns, form)
        end = socket.socket()
        end.setblocking(False)
        if narrow:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, NARROW_BUFFER)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, NARROW_SEGMENT)
        loop = asyncio.get_running_loop()
        try:
            async with self._connecting, asyncio.timeout(CONNECT_S):
                await loop.sock_connect(end, ("127.0.0.1", self._port))
                await loop.create_connection(lambda: made, sock=end)
                await made.opened
        except (OSError, TimeoutError) as error:
            end.close()
            made.abort()
            raise SwarmError(f"no socket: {type(error).__name__}") from None
        return made

    async def enter(self, player: Socket, match: str) -> Match:
        """Have a player of no account in the ledger go into the match of this name. Raises SwarmError."""
        return cast(Match, await player.ask(MatchCreate(name=match)))

    def await_end(self, session_id: str) -> asyncio.Event:
        """Set once an honest player hears that this session has left its match."""
        return self._awaited.setdefault(session_id, asyncio.Event())

    def heard_leave(self, session_id: str) -> None:
        if (event := self._awaited.get(session_id)) is not None:
            event.set()

    def forget(self, session_id: str) -> None:
        self._awaited.pop(session_id, None)

    def took(self, microseconds: int) -> None:
        """An honest player has heard a message so long after it was sent."""
        self.latency.record(microseconds)
        self.recent.record(microseconds)

    async def pause(self, span: tuple[float, float]) -> None:
        await asyncio.sleep(self.random.uniform(*span))
