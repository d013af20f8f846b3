"""Players who do not behave: who stop reading, who send without end, who are only half there.

Each comes, does what it does until the server ends it, rests and comes back, until it is cancelled.
"""

import asyncio
import time
from abc import ABC, abstractmethod

from websockets.frames import (  # type: ignore[attr-defined]  # apply_mask: C where it was built
    apply_mask,
)

from loadtest.failures import SwarmError
from loadtest.socket import Listener, Socket, State
from protocol.envelope import FIRST_BYTE, Envelope, encode
from protocol.frames import build_masked
from protocol.message import Message
from protocol.messages import Error, MatchDataSend
from tests.soak.crowd import Crowd

BULK = b"x" * 2048
FLOOD_FRAMES = 50
"""Written at once; then it is seen whether the socket takes more."""
FLOOD_S = 60.0
LOUD = 4
"""In every so manieth match of slow readers five times as much is said, so that bytes end them, not age."""


class Rude(Socket):
    """A player's socket that writes whatever it takes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.is_patient = True
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=32_768)

    async def cram(self, message: Message) -> None:
        """Send a message many times, and wait until the socket would take more."""
        payload = encode(Envelope(message, ""), self.form)
        frame = build_masked(FIRST_BYTE[self.form], payload, b"\0\0\0\0", apply_mask)
        if self._transport is not None and self.state is State.OPEN:
            self._transport.write(frame * FLOOD_FRAMES)
        await self.writable.wait()
        await asyncio.sleep(0)


class Hostile(Listener, ABC):
    """Socket `number`; `match` is one of honest players."""

    def __init__(self, crowd: Crowd, number: int, match: str) -> None:
        self._crowd = crowd
        self._plan = crowd.plan
        self._number = number
        self._match = match
        self._rest_s = crowd.plan.rest_s
        self._player: Rude | None = None

    async def live(self) -> None:
        """Visit after visit. Runs until cancelled."""
        try:
            await self._crowd.pause((0, self._rest_s[1]))
            while True:
                try:
                    await self._visit()
                except SwarmError as error:
                    self._crowd.faults[f"{type(self).__name__}: {error}"] += 1
                self._end()
                await self._crowd.pause(self._rest_s)
        finally:
            self._end()

    @abstractmethod
    async def _visit(self) -> None:
        """From one connect to the end of the socket. Raises SwarmError."""

    async def _come(self, *, narrow: bool) -> Rude:
        self._player = await self._crowd.dial(Rude, self._number, self, narrow=narrow)
        return self._player

    async def _session_in(self, player: Socket, match: str) -> str:
        answer = await self._crowd.enter(player, match)
        if answer.self is None:
            raise SwarmError("the server does not say who we are")
        return answer.self.session_id

    def _end(self) -> None:
        if self._player is not None:
            self._player.abort()
            self._player = None

    def on_message(self, socket: Socket, message: Message, at_ns: int) -> None:
        """Most pass over what they are told."""
        return

    def on_dropped(self, socket: Socket, reason: str) -> None:
        """Most hear of it from honest players, who are told even while we do not read."""
        return


class HalfOpen(Hostile):
    """Falls silent without a word, as a phone in a tunnel."""

    async def _visit(self) -> None:
        player = await self._come(narrow=self._number % 2 == 0)
        session_id = await self._session_in(player, self._match)
        ended = self._crowd.await_end(session_id)
        await self._crowd.pause(self._plan.rest_s)
        if ended.is_set():
            raise SwarmError("was closed while it still behaved")
        player.deafen()
        since = time.monotonic()
        try:
            async with asyncio.timeout(3 * self._plan.pong_timeout_s):
                await ended.wait()
        except TimeoutError:
            raise SwarmError("was not found") from None
        finally:
            self._crowd.forget(session_id)
        self._crowd.seen["half-open found"] += 1
        self._crowd.found_s.append(time.monotonic() - since)


class Slow(Hostile):
    """Stops reading for a while, now and then; is sent much by others of its kind, and goes on sending."""

    async def _visit(self) -> None:
        plan, chance = self._plan, self._crowd.random
        player = await self._come(narrow=True)
        session_id = await self._session_in(player, self._match)
        crowd_of_ten = self._number // plan.match_size
        bulk = await self._crowd.enter(player, f"bulk-{crowd_of_ten}")
        loud = crowd_of_ten % LOUD == 0
        ended = self._crowd.await_end(session_id)
        every_s = plan.bulk_every_s / (5 if loud else 1)
        message = MatchDataSend(match_id=bulk.match_id, op_code=1, data=BULK, reliable=True)
        try:
            while not ended.is_set():
                await self._talk(player, message, chance.uniform(*plan.rest_s), every_s, ended)
                player.deafen()
                self._crowd.seen["times a slow reader stopped"] += 1
                await self._talk(player, message, chance.uniform(0.1, 2.5) * plan.age_s, every_s, ended)
                player.listen()
        finally:
            self._crowd.forget(session_id)
        self._crowd.seen["slow readers closed"] += 1

    async def _talk(
        self, player: Socket, message: Message, for_s: float, every_s: float, ended: asyncio.Event
    ) -> None:
        until = time.monotonic() + for_s
        while time.monotonic() < until and not ended.is_set():
            player.send(message)
            await asyncio.sleep(every_s)


class Flooder(Hostile):
    """Sends as fast as the socket takes it, into a match of its own."""

    def __init__(self, crowd: Crowd, number: int, match: str) -> None:
        super().__init__(crowd, number, match)
        self._rest_s = crowd.plan.flood_rest_s
        self._refused = 0

    async def _visit(self) -> None:
        player = await self._come(narrow=False)
        answer = await self._crowd.enter(player, f"flood-{self._number}")
        message = MatchDataSend(match_id=answer.match_id, op_code=1, data=b"x")
        deadline = time.monotonic() + FLOOD_S
        self._refused = 0
        while player.state is State.OPEN:
            if time.monotonic() > deadline:
                raise SwarmError("was never closed")
            await player.cram(message)
        if not self._refused:
            raise SwarmError("was closed without a warning")

    def on_message(self, socket: Socket, message: Message, at_ns: int) -> None:
        if isinstance(message, Error):
            if message.code == 3 and message.message.startswith("Too many messages"):
                self._refused += 1
                self._crowd.seen["flooders' messages refused"] += 1
            else:
                self._crowd.faults[f"Flooder: {message.code} {message.message}"] += 1

    def on_dropped(self, socket: Socket, reason: str) -> None:
        if "4503" in reason:
            self._crowd.seen["flooders closed with 4503"] += 1
        else:
            self._crowd.seen[f"flooders closed otherwise: {reason}"] += 1
