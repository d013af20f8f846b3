"""Rooms in which players of the swarm hear each other, on the stage of `swarm_stage.py`."""

from collections.abc import Callable

from loadtest.common import Common
from loadtest.places import MatchRoom, PartyRoom, StatusRoom
from loadtest.player import Player
from loadtest.rooms import Room
from loadtest.socket import Socket, State
from tests.support.swarm_stage import Nowhere, group_of

RUN = 1
"""That of the stage."""


def open_socket(player: Player) -> Socket:
    """A socket of the player's that leads nowhere."""
    made = Socket(player.ear, ("host", "/ws"), player.common.random, form=player.form)
    made.connection_made(Nowhere())
    made.state = State.OPEN
    return made


def players(shared: Common, count: int) -> list[Player]:
    """One group of them, who know who they are."""
    found = group_of(shared, count)
    for player in found:
        player.user_id = f"user-{player.index}"
    return found


def seat(player: Player, kind: Callable[[Player], Room], place: str) -> Room:
    """Let the player be in this place."""
    room = kind(player)
    player.rooms[room.visit.topic.number] = room
    is_status = isinstance(room, StatusRoom)
    room.entered(place, "" if is_status else f"session-{player.index}", f"user-{player.index}", None)
    return room


def match_room(player: Player) -> Room:
    return MatchRoom(player, player.group.topic("match"), 48)


def party_room(player: Player) -> Room:
    return PartyRoom(player, player.group.topic("party"), 48)


def status_room(player: Player) -> Room:
    return StatusRoom(player, player.group.topic("status"), 30)
