"""A scenario of its own for tests of the swarm: everybody is in a match, a chat room and a party at once."""

from loadtest.places import ChatRoom, MatchRoom, PartyRoom
from loadtest.player import Player
from loadtest.rooms import Room
from loadtest.scenario import Settings, scenario

PAYLOAD_BYTES = 48
TURNS = "MPMPMPMPMPMC"
"""Where what is said next is said. An answer comes to what is written in a chat room, so that is rare."""


class AllPlacesSettings(Settings, frozen=True):
    rate: float = 12.0

    @property
    def group_size(self) -> int:
        return 4


@scenario
async def all_places(player: Player, settings: AllPlacesSettings) -> None:
    """matches, chat rooms and parties, each player in one of each"""
    topic = player.group.topic
    rooms: dict[str, Room] = {
        "M": MatchRoom(player, topic("match"), PAYLOAD_BYTES),
        "C": ChatRoom(player, topic("chat", echoes=True), PAYLOAD_BYTES),
        "P": PartyRoom(player, topic("party"), PAYLOAD_BYTES),
    }
    for room in rooms.values():
        await player.enter(room)
    turn = player.random.randrange(len(TURNS))
    async for due_ns in player.beats(settings.rate):
        rooms[TURNS[turn % len(TURNS)]].say(due_ns)
        turn += 1
