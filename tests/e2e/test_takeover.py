"""One socket per player, over the wire: whatever arrives at once, the newest stays and is the only one."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.inprocess import Live, running
from tests.support.rawsocket import CLOSE, RawSocket, upgrade_request

CLIENTS = 12
ROUNDS = 5
REPLACED = (1000, "server-side session disconnect")


async def test_of_many_sockets_opened_at_once_the_newest_stays(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path, url=database_url) as live:
        token = (await live.sign_in("ada"))["token"]

        for number in range(1, ROUNDS + 1):
            sockets = [await live.dial() for _ in range(CLIENTS)]
            for socket in sockets:
                socket.write(upgrade_request(f"/ws?token={token}"))
            for socket in sockets:
                assert (await socket.answer()).status == 101

            (session,) = live.server._registry.by_id.values()
            assert session.generation == number * CLIENTS
            endings = await asyncio.gather(*(ending(socket) for socket in sockets))
            assert endings.count(None) == 1
            assert [each for each in endings if each is not None] == [REPLACED] * (CLIENTS - 1)
            left = sockets[endings.index(None)]
            assert await own_session_id(left) == session.session_id
            left.close(1000)
            assert await left.ending() == (1000, "")


async def ending(socket: RawSocket) -> tuple[int, str] | None:
    """How the server ended a socket, or None if it answers a ping."""
    socket.say(cid="1", ping={})
    heard: list[Any] = []
    while (frame := await socket.receive()) is not None and frame.opcode != CLOSE:
        if frame.message == {"cid": "1", "pong": {}}:
            return None
        heard.append(frame.message)
    assert frame is not None
    assert [message["notifications"]["notifications"][0]["code"] for message in heard] == [-7]
    assert await socket.receive() is None
    await socket.hang_up()
    return frame.code, frame.reason


async def own_session_id(socket: RawSocket) -> str:
    socket.say(cid="2", match_create={})
    return str((await socket.hear())["match"]["self"]["session_id"])


async def test_others_see_the_older_socket_leave_before_the_newer_joins(
    tmp_path: Path, database_url: str
) -> None:
    async with running(tmp_path, url=database_url) as live:
        older = await live.connect("ada", status=True)
        (join,) = (await older.hear())["status_presence_event"]["joins"]
        watcher = await live.connect("bob")
        watcher.say(status_follow={"user_ids": [join["user_id"]]})
        assert (await watcher.hear())["status"]["presences"] == [join]
        match_id = await meet(older, watcher)

        newer = await live.connect("ada", status=True)
        (new_join,) = (await newer.hear())["status_presence_event"]["joins"]
        newer.say(cid="1", match_join={"match_id": match_id})

        heard = [await watcher.hear() for _ in range(4)]
        leaves = [message for message in heard if "leaves" in next(iter(message.values()))]
        assert [next(iter(message)) for message in heard[:2]] == [
            "match_presence_event",
            "status_presence_event",
        ]
        assert leaves == heard[:2]
        assert heard[1]["status_presence_event"]["leaves"] == [join]
        assert heard[2] == {"status_presence_event": {"joins": [new_join]}}
        assert heard[3]["match_presence_event"]["joins"][0]["session_id"] == new_join["session_id"]
        assert new_join["session_id"] != join["session_id"]
        assert await older.ending() == REPLACED
        await newer.hang_up()
        await watcher.hang_up()


async def meet(first: RawSocket, second: RawSocket) -> str:
    """Put both into one match and hear the events of it."""
    first.say(match_create={})
    match_id = str((await first.hear())["match"]["match_id"])
    second.say(match_join={"match_id": match_id})
    assert "match" in await second.hear()
    assert "joins" in (await second.hear())["match_presence_event"]
    for _ in range(2):
        assert "joins" in (await first.hear())["match_presence_event"]
    return match_id


async def test_the_late_close_of_a_replaced_socket_does_not_touch_its_successor(
    tmp_path: Path, database_url: str
) -> None:
    async with running(tmp_path, url=database_url) as live:
        older = await live.connect("ada")
        older.closing = True  # its client does not answer the close
        newer = await live.connect("ada")
        assert await closes(older) == REPLACED

        older.close(1000)

        assert await older.read() is None
        assert await newer.heard_until_pong("1") == []
        assert len(live.server._registry) == 1
        await older.hang_up()
        await newer.hang_up()


async def closes(socket: RawSocket) -> tuple[int, str]:
    while (frame := await socket.receive()) is not None:
        if frame.opcode == CLOSE:
            return frame.code, frame.reason
    raise AssertionError("TCP ended without a close frame")


async def test_without_the_rule_a_player_has_many_sockets(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path, url=database_url, session={"single_socket": False}) as live:
        await each_answers(live, [await live.connect("ada") for _ in range(3)])


async def each_answers(live: Live, sockets: list[RawSocket]) -> None:
    for socket in sockets:
        assert await socket.heard_until_pong("1") == []
    assert len(live.server._registry) == len(sockets)
    for socket in sockets:
        await socket.hang_up()
