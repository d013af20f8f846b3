"""Chat rooms: everybody writes now and then, and everybody, the writer too, must read it."""

from typing import Annotated

from msgspec import Meta

from loadtest.places import ChatRoom
from loadtest.player import Player
from loadtest.scenario import Settings, scenario


class ChatSettings(Settings, frozen=True):
    measures = "deliver"

    room_size: Annotated[int, Meta(ge=1, le=10_000, description="players per room")] = 50
    rate: Annotated[float, Meta(gt=0, le=100, description="messages a second and player")] = 0.2
    payload_bytes: Annotated[int, Meta(ge=30, le=1024, description="data of a message")] = 48
    keep: Annotated[bool, Meta(description="whether the room keeps its history")] = False

    @property
    def group_size(self) -> int:
        return self.room_size


@scenario
async def chat(player: Player, settings: ChatSettings) -> None:
    """chat rooms: everybody writes, everybody must read it"""
    room = ChatRoom(player, player.group.topic("chat", echoes=True), settings.payload_bytes)
    room.keeps = settings.keep
    await player.enter(room)
    async for due_ns in player.beats(settings.rate):
        room.say(due_ns)
