"""How a player leaves: out of all places together, and in nobody's hurry."""

import asyncio

from loadtest.pacer import Pacer
from loadtest.places import ChatRoom, MatchRoom
from loadtest.player import Player
from loadtest.rooms import Room
from loadtest.stamp import SIZE
from tests.support.inprocess import until
from tests.support.swarm_stage import common_of, group_of, session_of, user_of


def both_places(player: Player) -> list[Room]:
    rooms: list[Room] = [
        MatchRoom(player, player.group.topic("match"), SIZE),
        ChatRoom(player, player.group.topic("chat"), SIZE),
    ]
    for room in rooms:
        player.rooms[room.visit.topic.number] = room
        room.entered("place", session_of(player), user_of(player), [])
    return rooms


async def test_nobody_has_left_a_place_while_they_wait_for_what_was_said_in_another() -> None:
    first, second = group_of(common_of(), 2)
    match, chat = both_places(first)
    others_match, _ = both_places(second)
    number = others_match.visit.send()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first.depart())
        for _ in range(5):
            await asyncio.sleep(0)
        assert (match.visit.is_in, chat.visit.is_in) == (True, True)
        match.visit.receive(others_match.visit, number)
        await until(lambda: not first.rooms)
        assert (match.visit.is_in, chat.visit.is_in) == (False, False)
        assert first.socket is not None
        first.socket.connection_lost(None)


async def test_who_rests_until_they_leave_is_no_late_act() -> None:
    slips_us: list[int] = []
    (player,) = group_of(common_of(), 1)
    player.common.pacer = Pacer(slips_us.append)
    player.leaves_ns = player.now_ns() + 20_000_000

    await player.rest(0.001)
    assert len(slips_us) == 1
    await player.rest(1.0)
    player.common.pacer.close()

    assert len(slips_us) == 1
    assert not player.is_staying()
