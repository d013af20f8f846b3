"""Requests that the server answers at once: the round trip of the application's ping."""

from typing import Annotated

from msgspec import Meta

from loadtest.player import Player
from loadtest.scenario import Settings, scenario


class EchoSettings(Settings, frozen=True):
    measures = "echo"

    rate: Annotated[float, Meta(gt=0, le=1000, description="pings a second and player")] = 10.0


@scenario
async def echo(player: Player, settings: EchoSettings) -> None:
    """pings that the server answers: the round trip of one player's message"""
    async for due_ns in player.beats(settings.rate):
        player.ping(due_ns, "echo")
