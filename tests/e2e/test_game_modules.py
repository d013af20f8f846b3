"""A server with a game's module: matches, remote calls and hooks over real sockets."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.games import reference
from tests.support.inprocess import Live, running, until
from tests.support.rawsocket import RawSocket

MODULE = "tests.support.games.reference"


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(tmp_path, modules=(MODULE,)) as server:
        yield server


class Client:
    """A player who has been greeted."""

    def __init__(self, socket: RawSocket) -> None:
        self.socket = socket

    @classmethod
    async def connect(cls, live: Live, name: str) -> "Client":
        client = cls(await live.connect(name))
        (greeting,) = (await client.hear())["notifications"]["notifications"]
        assert (greeting["subject"], json.loads(greeting["content"])) == ("welcome", {"name": name})
        return client

    async def hear(self) -> Any:
        return await self.socket.hear()

    async def ask(self, **envelope: Any) -> Any:
        """The next message, which must be the answer."""
        self.socket.say(cid="1", **envelope)
        answer = await self.hear()
        assert answer.pop("cid", None) == "1", answer
        return answer

    async def call(self, name: str, payload: str = "") -> Any:
        answer = await self.ask(rpc={"id": name, "payload": payload})
        return answer["rpc"].get("payload", "") if "rpc" in answer else answer["error"]

    async def new_match(self, **params: Any) -> str:
        return str(json.loads(await self.call("create_match", json.dumps(params)))["match_id"])

    async def join(self, match_id: str, **metadata: str) -> Any:
        return await self.ask(match_join={"match_id": match_id, "metadata": metadata})

    def send(self, match_id: str, data: bytes, op_code: int = 5) -> None:
        encoded = base64.b64encode(data).decode()
        self.socket.say(match_data_send={"match_id": match_id, "op_code": str(op_code), "data": encoded})

    async def hear_data(self) -> tuple[str, bytes]:
        """Op code and data of the next message, which must be of a match."""
        data = (await self.hear())["match_data"]
        return data["op_code"], base64.b64decode(data.get("data", ""))

    async def end(self) -> None:
        await self.socket.hang_up()


async def joined(live: Live, *names: str) -> tuple[str, list[Client]]:
    """Players in a new match, who have heard of each other and were welcomed."""
    clients = [await Client.connect(live, name) for name in names]
    match_id = await clients[0].new_match()
    for place, client in enumerate(clients):
        answer = await client.join(match_id)
        assert answer["match"]["match_id"] == match_id
        await client.hear()  # the presence event
        assert await client.hear_data() == ("1", f"welcome {names[place]}".encode())
        for other in clients[:place]:
            assert "joins" in (await other.hear())["match_presence_event"]
    return match_id, clients


async def test_a_match_is_made_listed_joined_and_played(live: Live) -> None:
    alice = await Client.connect(live, "alice")
    match_id = await alice.new_match(mode="duel")

    assert json.loads(await alice.call("find_matches", "+label.mode:duel")) == [match_id]
    answer = await alice.join(match_id)
    assert answer["match"]["authoritative"] is True
    assert json.loads(answer["match"]["label"]) == {"kind": "echo", "mode": "duel"}
    # The answer and the presence event come before anything that the match says.
    assert "match_presence_event" in await alice.hear()
    assert await alice.hear_data() == ("1", b"welcome alice")
    alice.send(match_id, b"hi")
    assert (await alice.hear())["match_data"] == {
        "match_id": match_id,
        "op_code": "5",
        "data": base64.b64encode(b"hi").decode(),
        "presence": answer["match"]["self"],
        "reliable": True,
    }
    assert await alice.call("signal", json.dumps({"match_id": match_id, "data": "you"})) == "1 heard you"
    await alice.end()


async def test_a_match_refuses_with_its_reason(live: Live) -> None:
    alice = await Client.connect(live, "alice")
    match_id = await alice.new_match()

    refused = await alice.join(match_id, no="Not today")

    assert refused["error"]["message"] == "Not today"
    assert live.server.world.live_matches.label(match_id) == '{"kind":"echo"}'
    await alice.end()


async def test_who_is_kicked_hears_nothing_and_the_others_do(live: Live) -> None:
    match_id, (alice, bob) = await joined(live, "alice", "bob")

    bob.send(match_id, b"kick me")

    (gone,) = (await alice.hear())["match_presence_event"]["leaves"]
    assert gone["username"] == "bob"
    assert await bob.socket.heard_until_pong("p") == []
    bob.send(match_id, b"am I there?")
    assert await bob.socket.heard_until_pong("q") == []
    alice.send(match_id, b"hi")
    assert await alice.hear_data() == ("5", b"hi")
    assert await bob.socket.heard_until_pong("r") == []
    await alice.end()
    await bob.end()


async def test_a_match_that_raises_ends_with_its_players_and_no_other(live: Live) -> None:
    match_id, (alice,) = await joined(live, "alice")
    other_id, (bob,) = await joined(live, "bob")

    with capture_logs() as logged:
        alice.send(match_id, b"fail")
        ending = await alice.socket.ending()

    assert ending == (1000, "server-side session disconnect")
    (failed,) = [line for line in logged if line["event"] == "match_failed"]
    assert (failed["match_id"], failed["kind"], failed["error"]) == (match_id, "Echo", "RuntimeError")
    assert "in tick" in failed["trace"]
    assert "fail'" not in repr(failed)
    bob.send(other_id, b"still here")
    assert await bob.hear_data() == ("5", b"still here")
    assert "error" in await bob.join(match_id)
    await bob.end()


async def test_a_match_that_is_over_says_nothing_and_is_gone(live: Live) -> None:
    match_id, (alice,) = await joined(live, "alice")

    alice.send(match_id, b"end")
    await until(lambda: match_id not in live.server.game.matches.matches)

    assert await alice.socket.heard_until_pong("p") == []
    assert json.loads(await alice.call("find_matches", "*")) == []
    await alice.end()


async def test_a_match_can_start_something_outside_of_itself(live: Live) -> None:
    match_id, (alice,) = await joined(live, "alice")

    alice.send(match_id, b"later")

    (told,) = (await alice.hear())["notifications"]["notifications"]
    assert (told["subject"], told["code"]) == ("later", 7)
    await alice.end()


async def test_what_a_tick_says_to_a_player_leaves_in_one_write(live: Live) -> None:
    match_id, (alice, bob) = await joined(live, "alice", "bob")
    writes: list[int] = []

    def watch(transport: Any) -> None:
        write = transport.write

        def noted(data: bytes) -> None:
            writes.append(len(data))
            write(data)

        transport.write = noted

    for session in live.server._registry.by_id.values():
        watch(session.socket._transport)  # type: ignore[attr-defined]  # to see what leaves

    alice.send(match_id, b"burst")

    for client in (alice, bob):
        assert [await client.hear_data() for _ in range(5)] == [
            (str(number), str(number).encode()) for number in (3, 4, 5, 6, 2)
        ]
    assert len(writes) == 2
    await alice.end()
    await bob.end()


async def test_remote_calls_answer_refuse_and_fail(live: Live) -> None:
    alice = await Client.connect(live, "alice")

    assert await alice.call("ECHO", "x") == "x"
    assert json.loads(await alice.call("whoami", "y"))["username"] == "alice"
    assert (await alice.call("fail"))["message"] == "not now"
    assert (await alice.call("crash", "secret"))["message"] == "RPC function failed"
    await alice.end()


async def test_a_stream_is_joined_and_written(live: Live) -> None:
    alice = await Client.connect(live, "alice")

    alice.socket.say(cid="1", rpc={"id": "join_stream"})
    heard = [await alice.hear() for _ in range(3)]

    assert [next(key for key in each if key != "cid") for each in heard] == [
        "stream_presence_event",
        "stream_data",
        "rpc",
    ]
    assert json.loads(await alice.call("stream_members")) == ["alice"]
    await alice.end()


async def test_hooks_change_refuse_and_disable_a_message(live: Live) -> None:
    alice = await Client.connect(live, "alice")

    alice.socket.say(cid="1", status_update={"status": "hi"})
    assert await alice.hear() == {"cid": "1"}
    (shown,) = (await alice.hear())["status_presence_event"]["joins"]
    assert shown["status"] == "HI"
    assert (await alice.ask(status_update={"status": "rude"}))["error"] == {
        "code": 7,
        "message": "Mind your words",
    }
    assert (await alice.ask(status_update={"status": "forbidden"}))["error"]["code"] == 1
    assert (await alice.socket.ending())[0] == 1000


async def test_a_hook_is_told_of_a_message_that_was_handled_and_of_no_other(live: Live) -> None:
    alice = await Client.connect(live, "alice")
    joined = await alice.ask(channel_join={"type": 1, "target": "room"})
    await alice.hear()  # its presence event

    refused = await alice.ask(channel_message_send={"channel_id": joined["channel"]["id"], "content": "no"})
    alice.socket.say(channel_message_send={"channel_id": joined["channel"]["id"], "content": '{"a":1}'})
    heard = [await alice.hear() for _ in range(3)]

    assert "error" in refused
    (told,) = [each["notifications"]["notifications"][0] for each in heard if "notifications" in each]
    assert (told["subject"], json.loads(told["content"])) == ("counted", {"bytes": 7})
    await alice.end()


async def test_the_end_of_a_session_is_told_with_its_reason(live: Live) -> None:
    reference.GONE.clear()
    alice = await Client.connect(live, "alice")

    await alice.call("echo")
    alice.socket.say(rpc={"id": "disconnect"})
    await alice.socket.ending()

    await until(lambda: reference.GONE != [])
    assert reference.GONE == [("alice", "server-side session disconnect")]
