"""Each fault of sockets does what it says and nothing else, as plain clients of the real server see it."""

import time
from pathlib import Path

from tests.support.inprocess import until
from tests.support.rawsocket import CLOSE
from tests.support.talking import faulty, hang_up, heard, room, said, speak


async def test_two_sockets_of_one_user_play_on(tmp_path: Path) -> None:
    async with faulty(tmp_path, "two_sockets") as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        newer = await live.connect("bob")
        speak(ann, match_id, range(2))

        assert await heard(ann, bob) == ["00", "01"]
        assert await newer.heard_until_pong("1") == []
        assert fault.struck == 1
        await hang_up(ann, bob, newer)


async def test_a_silent_older_socket_is_open_and_told_nothing(tmp_path: Path) -> None:
    async with faulty(tmp_path, "two_sockets_silent") as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        newer = await live.connect("bob")
        (news,) = await ann.heard_until_pong("1")
        assert len(news["match_presence_event"]["leaves"]) == 1
        speak(ann, match_id, range(2))
        assert await ann.heard_until_pong("2") == []
        assert await newer.heard_until_pong("1") == []

        # Its TCP still answers on the lowest floor, and with nothing else before.
        bob.frame(0x89, b"there?")
        frame = await bob.receive()
        assert frame is not None
        assert (frame.opcode, frame.payload) == (0xA, b"there?")
        assert fault.struck == 1
        await hang_up(ann, bob, newer)
        await until(lambda: live.server._registry.leaving == 0)


async def test_some_takeovers_are_as_they_should_be(tmp_path: Path) -> None:
    async with faulty(tmp_path, "two_sockets:2") as (fault, live):
        sockets = [await live.connect("bob") for _ in range(3)]

        assert await sockets[0].ending() == (1000, "server-side session disconnect")
        assert await sockets[1].heard_until_pong("1") == []
        assert await sockets[2].heard_until_pong("1") == []
        assert (fault.seen, fault.struck) == (2, 1)
        await hang_up(*sockets)


async def test_what_is_late_comes_whole_and_in_order_and_late(tmp_path: Path) -> None:
    async with faulty(tmp_path, "late:3") as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        begun = time.monotonic()
        speak(ann, match_id, range(3))

        assert await heard(ann, bob) == ["00", "01", "02"]  # the pong behind them waited too
        assert time.monotonic() - begun >= 0.2
        assert fault.struck == 1
        await hang_up(ann, bob)


async def test_who_leaves_is_not_kept_waiting(tmp_path: Path) -> None:
    async with faulty(tmp_path, "late:3") as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")
        speak(ann, match_id, range(3))
        assert await ann.heard_until_pong("1") == []
        assert fault.struck == 1

        bob.close(1000)

        frames = await bob.rest()
        assert [said(each.message) for each in frames[:-1]] == ["00", "01", "02"]
        assert frames[-1].opcode == CLOSE
        await hang_up(ann, bob)


async def test_every_third_upgrade_is_refused_with_a_time_to_come_again(tmp_path: Path) -> None:
    async with faulty(tmp_path, "refuse") as (fault, live):
        token = (await live.sign_in("ann"))["token"]
        sockets = [await live.dial() for _ in range(6)]

        answers = [await socket.upgrade(f"/ws?token={token}") for socket in sockets]

        assert [answer.status for answer in answers] == [101, 101, 503, 101, 101, 503]
        assert answers[2].headers["retry-after"] == "1"
        assert (fault.seen, fault.struck) == (6, 2)
        await hang_up(*sockets)
