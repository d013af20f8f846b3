"""Reconnects: storms in which all connections break at one moment, and blinks that a session outlives."""

from typing import Annotated

from msgspec import Meta

from loadtest.pacer import NS
from loadtest.places import MatchRoom
from loadtest.player import Player
from loadtest.scenario import scenario
from loadtest.scenarios.relay import RelaySettings

BACK_NS = 2 * NS
"""Who lost the connection so long before the end and is not back has been shut out."""


class StormSettings(RelaySettings, frozen=True):
    measures = "recover"

    every_s: Annotated[float, Meta(gt=0, description="seconds between two storms")] = 10.0
    share: Annotated[float, Meta(gt=0, le=1, description="of the players whose connection breaks")] = 1.0


@scenario
async def reconnect_storm(player: Player, settings: StormSettings) -> None:
    """everybody's connection breaks at one moment, again and again, and all come back at once"""
    storm_ns = player.common.measured_from_ns + round(settings.every_s * NS / 2)
    while storm_ns < player.now_ns():
        storm_ns += round(settings.every_s * NS)
    broken_ns = 0
    while player.is_staying():
        if player.is_connected() or await player.come_back():
            match = MatchRoom(player, player.group.topic("match"), settings.payload_bytes)
            await player.enter(match)
            if broken_ns:
                player.common.timings["recover"].record(broken_ns, broken_ns, player.now_ns())
            async for due_ns in player.beats(settings.rate, until_ns=storm_ns):
                match.say(due_ns)
        storm_ns += round(settings.every_s * NS)
        if player.is_staying() and player.random.random() < settings.share:
            broken_ns = player.now_ns()
            player.count("storms")
            player.vanish()
    if not player.is_connected() and player.now_ns() - broken_ns > BACK_NS:
        player.common.error("a player was not back when the run ended")


class ResumeSettings(RelaySettings, frozen=True):
    measures = "resume"

    every_s: Annotated[float, Meta(gt=0, description="seconds between two breaks of a player")] = 10.0


@scenario
async def resume(player: Player, settings: ResumeSettings) -> None:
    """connections break one by one and the session goes on (servers with socket.resume_s)"""
    match = MatchRoom(player, player.group.topic("match"), settings.payload_bytes)
    await player.enter(match)
    breaks_ns = player.now_ns() + round(settings.every_s * NS * (0.5 + player.random.random()))
    while player.is_staying():
        async for due_ns in player.beats(settings.rate, until_ns=breaks_ns):
            match.say(due_ns)
        if not player.is_staying() or not player.is_connected():
            return
        broke_ns = await player.blink()
        player.common.timings["resume"].record(broke_ns, broke_ns, player.now_ns())
        breaks_ns += round(settings.every_s * NS)
