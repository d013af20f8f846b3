"""Parties: open ones, in which everybody talks to everybody."""

from typing import Annotated

from msgspec import Meta

from loadtest.places import PartyRoom
from loadtest.player import Player
from loadtest.scenario import Settings, scenario


class PartySettings(Settings, frozen=True):
    measures = "deliver"

    party_size: Annotated[int, Meta(ge=1, le=256, description="players per party")] = 4
    rate: Annotated[float, Meta(gt=0, le=1000, description="messages a second and player")] = 2.0
    payload_bytes: Annotated[int, Meta(ge=30, le=65536, description="data of a message")] = 48

    @property
    def group_size(self) -> int:
        return self.party_size


@scenario
async def party(player: Player, settings: PartySettings) -> None:
    """parties: everybody talks, every other member must hear it"""
    room = PartyRoom(player, player.group.topic("party"), settings.payload_bytes)
    await player.enter(room)
    async for due_ns in player.beats(settings.rate):
        room.say(due_ns)
