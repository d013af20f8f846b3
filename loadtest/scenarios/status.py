"""Status fans: one player of each group changes their status, all others follow it."""

from typing import Annotated

from msgspec import Meta

from loadtest.places import StatusRoom
from loadtest.player import Player
from loadtest.scenario import Settings, scenario

STATUS_BYTES = 30


class StatusSettings(Settings, frozen=True):
    measures = "deliver"

    fans: Annotated[int, Meta(ge=1, le=100_000, description="followers per speaker")] = 49
    rate: Annotated[float, Meta(gt=0, le=100, description="changes a second and speaker")] = 1.0

    @property
    def group_size(self) -> int:
        return self.fans + 1


@scenario
async def status_fans(player: Player, settings: StatusSettings) -> None:
    """status fans: one changes their status, all others follow it"""
    speaks = player.index == 0
    room = StatusRoom(player, player.group.topic("status"), STATUS_BYTES, hears=not speaks)
    await player.enter(room)
    if not speaks:
        await player.rest()
        return
    async for due_ns in player.beats(settings.rate):
        room.say(due_ns)
