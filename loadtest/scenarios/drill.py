"""A deploy drill: the server is drained or killed under load, and everybody has to be back soon.

Either the swarm runs a command at half-time (`command`, once), or its user restarts the server by hand. What
was under way is counted as written off, and what is lost beside that fails the run.
"""

import asyncio
import shlex
from typing import Annotated

from msgspec import Meta

from loadtest.failures import SwarmError
from loadtest.pacer import NS
from loadtest.places import MatchRoom
from loadtest.player import Player
from loadtest.scenario import scenario
from loadtest.scenarios.relay import RelaySettings

COMMAND_S = 120.0


class DrillSettings(RelaySettings, frozen=True):
    measures = "recover"

    command: Annotated[
        str, Meta(description="drains, kills or restarts the server; none: do it yourself")
    ] = ""
    at: Annotated[float, Meta(gt=0, lt=1, description="when, as a share of the measured time")] = 0.33


@scenario
async def deploy_drill(player: Player, settings: DrillSettings) -> None:
    """the server is restarted under load: how soon is everybody back, what is lost?"""
    with player.outliving():
        if player.number == 0:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(drill(player, settings))
                await live(player, settings)
        else:
            await live(player, settings)


async def live(player: Player, settings: DrillSettings) -> None:
    """Be in a match and talk, and after each drop come back into it at once."""
    dropped_ns, count_told = 0, player.on_drop
    talking: asyncio.Task[None] | None = None

    def dropped(reason: str) -> None:
        nonlocal dropped_ns
        count_told(reason)
        dropped_ns = dropped_ns or player.now_ns()
        if talking is not None:
            talking.cancel()

    player.on_drop = dropped
    while player.is_staying():
        try:
            if not player.is_connected() and not await player.come_back():
                break
            match = MatchRoom(player, player.group.topic("match"), settings.payload_bytes)
            await player.enter(match)
        except SwarmError:
            player.vanish()
            player.count("attempts_to_come_back_failed")
            await player.rest(0.1)
            continue
        if dropped_ns:
            player.common.timings["recover"].record(dropped_ns, dropped_ns, player.now_ns())
            player.count("recovered")
            dropped_ns = 0
        async with asyncio.TaskGroup() as tasks:
            talking = tasks.create_task(talk(player, match, settings.rate))
    if not player.is_connected():
        player.common.error("a player was not back when the run ended")


async def talk(player: Player, match: MatchRoom, rate: float) -> None:
    """Until the stay or the socket ends."""
    async for due_ns in player.beats(rate):
        match.say(due_ns)


async def drill(player: Player, settings: DrillSettings) -> None:
    """Restart the server at its time."""
    common = player.common
    length_ns = common.until_ns - common.measured_from_ns
    await player.rest((common.measured_from_ns + length_ns * settings.at - player.now_ns()) / NS)
    if not player.is_staying():
        return
    common.mark("drill" if settings.command else "restart the server now")
    if settings.command:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(settings.command),
            # No pipe: a server that the command has started would hold it open.
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(COMMAND_S):
                status = await process.wait()
        except TimeoutError:
            process.kill()
            status = await process.wait()
        common.fact("drill", f"the command ended with status {status} after {common.at_s():.1f} s of the run")
