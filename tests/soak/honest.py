"""A player who behaves: sends at their rate, and checks all that they hear; storms take them away."""

import asyncio
import struct
import time
from contextlib import suppress

from loadtest.failures import SwarmError
from loadtest.socket import Listener, Socket, State
from protocol.message import Message
from protocol.messages import (
    Channel,
    ChannelJoin,
    ChannelMessage,
    ChannelMessageSend,
    Error,
    Match,
    MatchCreate,
    MatchData,
    MatchDataSend,
    MatchPresenceEvent,
)
from tests.soak.crowd import Crowd
from tests.soak.ledger import End, Visit

OP_CODE = 7
ROOM = 1
"""The type of a channel that has a name."""
DRAIN_S = 15.0
"""How late a message may be at most; later, it counts as missed."""

_STAMP = struct.Struct(">IIQ48x")
"""Sender, number, time of sending in monotonic nanoseconds; filled up to 64 bytes."""


class Honest(Listener):
    """Socket `number`, in the match of this name."""

    def __init__(self, crowd: Crowd, number: int, match: str) -> None:
        self._crowd = crowd
        self._ledger = crowd.ledger
        self._number = number
        self._match = match
        self._match_id = ""
        self._socket: Socket | None = None
        self._entered: asyncio.Future[None] | None = None
        self.visit: Visit | None = None

    async def enter(self) -> None:
        """Come in. What goes wrong is counted as a fault, and the player stays out."""
        self._entered = asyncio.get_running_loop().create_future()
        try:
            self._socket = await self._crowd.dial(Socket, self._number, self)
            self._socket.request(MatchCreate(name=self._match), self._note_match)
            async with asyncio.timeout(DRAIN_S):
                await self._entered
        except (SwarmError, TimeoutError) as error:
            self._crowd.faults[f"an honest player could not come in: {error}"] += 1
            return
        self._socket.send(ChannelJoin(target=self._match, type=ROOM, persistence=False))

    def act(self) -> None:
        """Send one message, if they are in."""
        if self.visit is not None and self._socket is not None and self._socket.state is State.OPEN:
            number = self._ledger.send(self.visit)
            stamp = _STAMP.pack(self._number, number, time.monotonic_ns())
            data = MatchDataSend(match_id=self._match_id, op_code=OP_CODE, data=stamp, reliable=True)
            self._socket.send(data)

    async def drain(self) -> None:
        """Wait for all that was sent to this player up to now. What does not come counts as missed."""
        visit = self.visit
        if visit is None:
            return
        marks = self._ledger.marks(visit)
        deadline = time.monotonic() + DRAIN_S
        while (lacking := self._ledger.lacking(visit, marks)) and self.visit is visit:
            if time.monotonic() > deadline:
                self._ledger.counts.missed += lacking
                return
            await asyncio.sleep(0.02)

    async def leave(self, end: End) -> None:
        """End the socket in one of two ways."""
        socket, visit = self._socket, self.visit
        if visit is not None:
            self._ledger.close(visit, end)
        self._socket = self.visit = None
        if socket is None:
            return
        if end is End.ABORTED:
            socket.abort()
        else:
            socket.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await socket.closed

    async def blink(self, end: End, away_s: float) -> None:
        """Go, and come back."""
        await self.drain()
        await self.leave(end)
        await asyncio.sleep(away_s)
        await self.enter()

    # What the socket hears.

    def on_message(self, socket: Socket, message: Message, at_ns: int) -> None:
        if socket is not self._socket and self._socket is not None:
            return
        if isinstance(message, MatchData):
            self._check(message, at_ns)
        elif isinstance(message, MatchPresenceEvent):
            self._note_presences(message)
        elif isinstance(message, Channel):
            socket.send(ChannelMessageSend(channel_id=message.id, content='{"hello":true}'))
        elif isinstance(message, ChannelMessage):
            self._crowd.seen["chat messages heard"] += 1
        elif isinstance(message, Error):
            self._crowd.faults[f"an honest player was refused: {message.message}"] += 1

    def on_dropped(self, socket: Socket, reason: str) -> None:
        if socket is self._socket:
            self._crowd.faults[f"an honest socket was closed: {reason}"] += 1
            if self.visit is not None:
                self._ledger.close(self.visit, End.ABORTED)
            self._socket = self.visit = None

    def _note_match(self, message: Message | None, error: SwarmError | None, at_ns: int) -> None:
        if self._entered is None or self._entered.done():
            return
        if not isinstance(message, Match) or message.self is None:
            self._entered.set_exception(error or SwarmError("no match"))
            return
        self._match_id = message.match_id
        present = [each.session_id for each in message.presences]
        self.visit = self._ledger.begin(self._number, message.self.session_id, present)
        self._entered.set_result(None)

    def _note_presences(self, message: MatchPresenceEvent) -> None:
        if self.visit is None:
            return
        for each in message.joins:
            self._ledger.joined(self.visit, each.session_id)
        for each in message.leaves:
            self._ledger.left(self.visit, each.session_id)
            self._crowd.heard_leave(each.session_id)

    def _check(self, message: MatchData, at_ns: int) -> None:
        if self.visit is None:
            return
        if len(message.data) != _STAMP.size or message.presence is None or message.op_code != OP_CODE:
            self._ledger.counts.foreign += 1
            return
        sender, number, sent_ns = _STAMP.unpack(message.data)
        wrong_place = message.match_id != self._match_id
        session_id = "" if wrong_place else message.presence.session_id
        if self._ledger.receive(self.visit, session_id, sender, number):
            self._crowd.took((at_ns - sent_ns) // 1000)
