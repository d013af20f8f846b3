"""Channels on real sockets: what becomes of conversations when sockets, players and servers go."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.support.inprocess import Live, running
from tests.support.rawsocket import RawSocket

ROOM = "2...hall"


async def member(live: Live, user: str) -> tuple[str, RawSocket]:
    """A player's Authorization, and a socket that is in the hall."""
    token = (await live.sign_in(user))["token"]
    socket = await live.open(token)
    socket.say(cid="join", channel_join={"target": "hall", "type": 1})
    assert (await socket.hear())["channel"]["id"] == ROOM
    await socket.heard_until_pong("joined")
    return f"Bearer {token}", socket


async def history(live: Live, authorization: str) -> list[dict[str, Any]]:
    status, answer = await live.ask("GET", f"/v2/channel/{ROOM}?limit=100", authorization)
    assert status == 200
    return list(answer.get("messages", []))


def said(heard: list[Any]) -> list[dict[str, Any]]:
    return [each["channel_message"] for each in heard if "channel_message" in each]


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [json.loads(each["content"])["text"] for each in messages]


def speak(socket: RawSocket, text: str, cid: str = "") -> None:
    content = json.dumps({"text": text})
    socket.say(cid=cid, channel_message_send={"channel_id": ROOM, "content": content})


async def test_two_hear_a_room_in_the_order_of_its_history(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path, url=database_url) as live:
        (hers, ada), (_, bea) = await member(live, "ada"), await member(live, "bea")
        await ada.heard_until_pong("bea is here")

        for number in range(20):
            speak(ada, f"ada {number}")
            speak(bea, f"bea {number}")
        # A message is acknowledged before the next one of its sender is looked at: all are kept by now.
        heard = await asyncio.gather(ada.heard_until_pong("all"), bea.heard_until_pong("all"))
        told = [said(each) for each in heard]
        told = [
            [*each, *said(await socket.heard_until_pong("more"))]
            for each, socket in zip(told, (ada, bea), strict=True)
        ]

        kept = await history(live, hers)
        assert texts(told[0]) == texts(told[1]) == texts(kept)
        assert [each["message_id"] for each in told[0]] == [each["message_id"] for each in kept]
        for name in ("ada", "bea"):
            own = [text for text in texts(kept) if text.startswith(name)]
            assert own == [f"{name} {number}" for number in range(20)]
        await asyncio.gather(ada.hang_up(), bea.hang_up())


async def test_last_words_are_heard(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path, url=database_url) as live:
        (hers, ada), (_, bea) = await member(live, "ada"), await member(live, "bea")

        speak(bea, "good bye")
        bea.close(1000)

        heard: list[Any] = []
        while not any("channel_message" in each for each in heard):
            heard.append(await ada.hear())
        assert texts(said(heard)) == texts(await history(live, hers)) == ["good bye"]
        assert await bea.ending() == (1000, "")
        await ada.hang_up()


async def test_with_a_player_goes_what_the_player_said(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path, url=database_url) as live:
        (hers, ada), (his, ben) = await member(live, "ada"), await member(live, "ben")
        for socket, text in ((ada, "ada was here"), (ben, "ben is here")):
            speak(socket, text, cid="1")
            await socket.heard_until_pong("said")
        ben_id = json_id(await live.ask("GET", "/v2/account", his))
        ada.say(cid="2", channel_join={"target": ben_id, "type": 2})
        await ada.heard_until_pong("asked")
        _, before = await live.ask("GET", "/v2/notification?limit=9", his)

        status, _ = await live.ask("DELETE", "/v2/account", hers)

        _, after = await live.ask("GET", "/v2/notification?limit=9", his)
        assert status == 200
        assert await ada.ending() == (1000, "server-side session disconnect")
        assert texts(await history(live, his)) == ["ben is here"]
        assert [each["code"] for each in before["notifications"]] == [-1]
        assert "notifications" not in after
        (left,) = [each for each in await ben.heard_until_pong("end") if "leaves" in str(each)]
        assert left["channel_presence_event"]["leaves"][0]["username"] == "ada"
        await ben.hang_up()


async def test_history_and_notifications_outlive_the_server(tmp_path: Path, database_url: str) -> None:
    async with running(tmp_path, url=database_url) as live:
        hers, ada = await member(live, "ada")
        speak(ada, "before")
        await ada.heard_until_pong("said")
        await ada.hang_up()
    async with running(tmp_path, url=database_url) as live:
        hers, ada = await member(live, "ada")
        speak(ada, "after")
        await ada.heard_until_pong("said")

        assert texts(await history(live, hers)) == ["before", "after"]
        await ada.hang_up()


async def test_what_is_counted_is_shown_to_operators(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        _, ada = await member(live, "ada")
        speak(ada, "one")
        await ada.heard_until_pong("said")
        async with live.http.get(f"http://{live.server.ops}/metrics") as answer:
            shown = (await answer.text()).splitlines()

        assert "lockgate_channels 1.0" in shown
        assert 'lockgate_channel_messages_total{kind="sent"} 1.0' in shown
        assert "lockgate_writes_in_turn_waiting 0.0" in shown
        await ada.hang_up()


def json_id(answer: tuple[int, dict[str, Any]]) -> str:
    status, account = answer
    assert status == 200
    return str(account["user"]["id"])
