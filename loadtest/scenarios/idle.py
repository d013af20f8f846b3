"""Players that are only there: heartbeats and nothing else."""

from loadtest.player import Player
from loadtest.scenario import Settings, scenario


class IdleSettings(Settings, frozen=True):
    pass


@scenario
async def idle(player: Player, settings: IdleSettings) -> None:
    """players who are only there, with a heartbeat now and then"""
    await player.rest()
