"""Players who do not behave, beside others who do: who stop reading, fall silent, flood, or send nonsense.

In each match of honest players some are rude. What the rude ones lose is their own; the honest must hear
everything, once and in order, as if they were alone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from msgspec import Meta

from loadtest.failures import SwarmError
from loadtest.pacer import NS
from loadtest.places import MatchRoom
from loadtest.player import Player
from loadtest.scenario import scenario
from loadtest.scenarios.relay import RelaySettings
from protocol.messages import MatchPresenceEvent

FLOOD_FRAMES = 50
"""Written at once; then it is seen whether the socket takes more."""


class RudeSettings(RelaySettings, frozen=True):
    rude: Annotated[int, Meta(ge=1, description="rude players in each match")] = 1
    rest_s: Annotated[float, Meta(ge=0, description="seconds until a rude player begins, and comes back")] = (
        2.0
    )
    for_s: Annotated[float, Meta(gt=0, description="seconds for which it is rude, at most")] = 20.0


Deed = Callable[[Player, MatchRoom, RudeSettings], Awaitable[None]]


async def beside(player: Player, settings: RudeSettings, deed: Deed) -> None:
    """Play an honest or a rude one, by the place in the match."""
    if player.index >= settings.rude:
        match = MatchRoom(player, player.group.topic("match"), settings.payload_bytes)
        await player.enter(match)
        async for due_ns in player.beats(settings.rate):
            match.say(due_ns)
        return
    with player.outliving():
        while player.is_staying():
            if not player.is_connected() and not await player.come_back(narrow=True):
                return
            # What is not read is not heard: nothing is owed to a rude player.
            match = MatchRoom(player, player.group.topic("match"), settings.payload_bytes, hears=False)
            await player.enter(match)
            await player.rest(settings.rest_s)
            await deed(player, match, settings)
            player.vanish()
            await player.rest(settings.rest_s)


@scenario
async def slow_readers(player: Player, settings: RudeSettings) -> None:
    """some stop reading for a while; the others must not notice"""

    async def deed(player: Player, match: MatchRoom, settings: RudeSettings) -> None:
        if player.socket is not None:
            player.socket.deafen()
            await player.rest(settings.for_s * player.random.random())
            player.socket.listen()
            await player.rest(settings.rest_s)

    await beside(player, settings, deed)


class HalfOpenSettings(RudeSettings, frozen=True):
    measures = "found"

    for_s: Annotated[float, Meta(gt=0, description="seconds in which the server must have found out")] = 60.0


@scenario
async def half_open(player: Player, settings: HalfOpenSettings) -> None:
    """some fall silent without a word; the server must find out, and tell the others"""

    async def deed(player: Player, match: MatchRoom, settings: RudeSettings) -> None:
        if player.socket is None:
            return
        # Without a socket not even the application's heartbeat is sent.
        silent, player.socket = player.socket, None
        silent.deafen()
        since_ns = player.now_ns()
        until_leave_s = (player.leaves_ns - since_ns) / NS
        try:
            found = f"left {match.visit.session_id}"
            await player.group.learn(found, within_s=min(settings.for_s, max(until_leave_s, 0)))
        except SwarmError:
            if until_leave_s > settings.for_s:  # else the stay ended before
                player.common.error("a silent player was not found in time")
        else:
            player.common.timings["found"].record(since_ns, since_ns, player.now_ns())
        finally:
            player.socket = silent

    def left(event: MatchPresenceEvent, _at_ns: int) -> None:
        for each in event.leaves:
            player.group.answer(f"left {each.session_id}", "")

    with player.hearing(MatchPresenceEvent, left):
        await beside(player, settings, deed)


@scenario
async def flooders(player: Player, settings: RudeSettings) -> None:
    """some send as fast as their socket takes it; the others must not notice"""

    async def deed(player: Player, match: MatchRoom, settings: RudeSettings) -> None:
        socket = player.socket
        if socket is None:
            return
        socket.is_patient = True
        ends_ns = player.now_ns() + round(settings.for_s * NS)
        while player.is_connected() and player.is_staying() and player.now_ns() < ends_ns:
            for _ in range(FLOOD_FRAMES):
                player.ping(player.now_ns(), "flood")
            await socket.writable.wait()
            await asyncio.sleep(0)

    await beside(player, settings, deed)


@scenario
async def malformed(player: Player, settings: RudeSettings) -> None:
    """some send frames and messages that make no sense; the others must not notice"""

    async def deed(player: Player, match: MatchRoom, settings: RudeSettings) -> None:
        if player.socket is not None:
            player.socket.send_raw(nonsense(player))
            await player.rest(settings.rest_s)

    await beside(player, settings, deed)


def nonsense(player: Player) -> bytes:
    """Frames that break one of the rules each: RFC 6455 section 5, then those of the protocol on top."""
    random = player.random
    return random.choice(
        (
            b"\x81\x05hello",  # unmasked
            b"\xf1\x80\0\0\0\0",  # reserved bits
            b"\x83\x80\0\0\0\0",  # an opcode that does not exist
            b"\x80\x80\0\0\0\0",  # a continuation of nothing
            b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126),  # a ping too long
            b"\x81\x82\0\0\0\0\xff\xff",  # text that is not UTF-8
            b"\x81\x85\0\0\0\0hello",  # no envelope
            b"\x81\x82\0\0\0\0{}",  # an empty one
            b"\x81\xff" + (2**40).to_bytes(8) + bytes(4),  # a frame of a terabyte
            bytes(random.randrange(256) for _ in range(64)),
        )
    )
