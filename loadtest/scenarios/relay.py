"""Relayed matches: everybody sends at a fixed rate, and everybody else in the match must receive it all.

Each message carries its sender, its number and two times: when it was meant to be sent and when it was. The
first gives the response time, which counts the swarm's own lateness; the second the service time.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Final

from loadtest.failures import SwarmError
from loadtest.histogram import Histogram
from loadtest.ledger import Ledger, Tally
from loadtest.player import Player, State
from protocol.message import Message
from protocol.messages import Error, Match, MatchCreate, MatchData, MatchDataSend, MatchJoin

OP_CODE: Final = 1

_STAMP: Final = struct.Struct(">IIQQ")
"""Sender, number, intended and actual time of sending in monotonic nanoseconds."""
_AT_ONCE: Final = 32
"""Matches that are gathered at the same time."""


class Relay:
    """Matches of `match_size`; the last one may be smaller."""

    def __init__(self, match_size: int, rate: float, clock_ns: Callable[[], int]) -> None:
        self.rate = rate
        self.response = Histogram()
        self.service = Histogram()
        self.refused = 0
        """Error envelopes that no request waited for."""
        self._match_size = match_size
        self._clock_ns = clock_ns
        self._players: Sequence[Player] = ()
        self._ledger = Ledger(0)

    async def gather(self, players: Sequence[Player]) -> None:
        """Bring the players, numbered from 0 in order, into their matches. Raises SwarmError."""
        self._players = players
        self._ledger = Ledger(len(players))
        size = self._match_size
        groups = [players[at : at + size] for at in range(0, len(players), size)]
        waiting = iter(groups)

        async def meet_in_turn() -> None:
            for group in waiting:
                await self._meet(group)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(_AT_ONCE, len(groups))):
                tasks.create_task(meet_in_turn())

    async def _meet(self, group: Sequence[Player]) -> None:
        first, *others = group
        match_id = _entered(first, await first.ask(MatchCreate()))
        for player in others:
            if _entered(player, await player.ask(MatchJoin(match_id=match_id))) != match_id:
                raise SwarmError("the server put a player into another match")
        self._ledger.enrol([player.number for player in group])

    def act(self, player: int, intended_ns: int) -> None:
        """Send the next message of this player, unless their socket has ended."""
        sender = self._players[player]
        if sender.state is not State.OPEN:
            return
        stamp = _STAMP.pack(player, self._ledger.send(player), intended_ns, self._clock_ns())
        sender.send(MatchDataSend(match_id=sender.match_id, op_code=OP_CODE, data=stamp))

    def on_message(self, player: Player, message: Message, at_ns: int) -> None:
        if isinstance(message, MatchData):
            self._check(player, message, at_ns)
        elif isinstance(message, Error):
            self.refused += 1

    def _check(self, player: Player, message: MatchData, at_ns: int) -> None:
        if len(message.data) != _STAMP.size or message.op_code != OP_CODE or message.presence is None:
            self._ledger.note_wrong()
            return
        sender, number, intended_ns, sent_ns = _STAMP.unpack(message.data)
        if (
            message.match_id != player.match_id
            or sender >= len(self._players)
            or message.presence.user_id != self._players[sender].user_id
        ):
            self._ledger.note_wrong()
        elif self._ledger.receive(player.number, sender, number):
            self.response.record((at_ns - intended_ns) // 1000)
            self.service.record((at_ns - sent_ns) // 1000)

    def is_settled(self) -> bool:
        """Whether everything sent has arrived."""
        return self._ledger.is_complete()

    def tally(self) -> Tally:
        return self._ledger.tally()


def _entered(player: Player, reply: Message | None) -> str:
    if not isinstance(reply, Match) or reply.self is None:
        raise SwarmError("the server answered a request for a match with something else")
    player.user_id = reply.self.user_id
    player.match_id = reply.match_id
    return reply.match_id
