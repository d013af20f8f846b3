"""Relayed matches: everybody sends at a fixed rate, and everybody else in the match must hear it all."""

from typing import Annotated

from msgspec import Meta

from loadtest.places import MatchRoom
from loadtest.player import Player
from loadtest.scenario import Settings, scenario


class RelaySettings(Settings, frozen=True):
    measures = "deliver"

    match_size: Annotated[int, Meta(ge=1, le=1000, description="players per match")] = 10
    rate: Annotated[float, Meta(gt=0, le=1000, description="messages a second and player")] = 10.0
    payload_bytes: Annotated[int, Meta(ge=30, le=65536, description="data of a message")] = 48

    @property
    def group_size(self) -> int:
        return self.match_size


@scenario
async def relay(player: Player, settings: RelaySettings) -> None:
    """relayed matches: everybody sends, everybody else in the match must hear it"""
    match = MatchRoom(player, player.group.topic("match"), settings.payload_bytes)
    await player.enter(match)
    async for due_ns in player.beats(settings.rate):
        match.say(due_ns)
