"""A scenario that measures wrongly on purpose: each player waits for the answer before asking again."""

from loadtest.player import Player
from loadtest.scenario import Settings, scenario
from protocol.messages import Ping


class InTurnSettings(Settings, frozen=True):
    pause_s: float = 0.05


@scenario
async def asked_in_turn(player: Player, settings: InTurnSettings) -> None:
    """a closed loop: pings with a pause behind each answer"""
    while player.is_staying():
        await player.ask(Ping(), timed="asked")
        await player.rest(settings.pause_s)
