"""Matches that outlive their server, and players who lose their connection."""

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.rawsocket import RawSocket
from tests.support.running import RunningServer, running_server
from tests.support.visitor import Visitor

SNAPSHOT_TICKS = 6
TICK_S = 0.1
GAME = {
    "LOCKGATE_RUNTIME__MODULES": '["tests.support.games.counter"]',
    "LOCKGATE_MATCHES__SNAPSHOT_TICKS": str(SNAPSHOT_TICKS),
    "LOCKGATE_MATCHES__RECONNECT_S": "60",
    "PYTHONPATH": str(Path(__file__).parents[2]),
}


@asynccontextmanager
async def visiting(server: RunningServer) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        yield Visitor(server.public, server.issuer, http)


async def match_data(socket: RawSocket) -> tuple[str, bytes]:
    """The next data of a match; other messages are passed over."""
    while "match_data" not in (message := await socket.hear()):
        continue
    data = message["match_data"]
    return data["op_code"], base64.b64decode(data["data"])


async def counted(socket: RawSocket) -> dict[str, int]:
    while (told := await match_data(socket))[0] != "2":
        continue
    return dict(json.loads(told[1]))


async def joined(socket: RawSocket, match_id: str) -> Any:
    socket.say(cid="join", match_join={"match_id": match_id})
    while (message := await socket.hear()).get("cid") != "join":
        continue
    return message


async def created(socket: RawSocket) -> str:
    socket.say(cid="1", rpc={"id": "create"})
    return str((await socket.hear())["rpc"]["payload"])


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_match_goes_on_when_its_server_is_back(tmp_path: Path, how: str) -> None:
    with running_server(tmp_path, environment=GAME) as first:
        async with visiting(first) as visitor:
            sockets = [await visitor.connect(name) for name in ("alice", "bob")]
            match_id = await created(sockets[0])
            for socket in sockets:
                assert "match" in await joined(socket, match_id)
            sockets[0].say(match_data_send={"match_id": match_id, "op_code": "1", "data": "NQ=="})
            while (last := await counted(sockets[0]))["count"] < 4 * SNAPSHOT_TICKS:
                continue
            died_at = time.monotonic()
            (first.kill if how == "kill" else first.process.terminate)()
            # Nothing more is told: what was heard last is what was lost, at most.
            while (frame := await sockets[0].receive()) is not None:
                if frame.opcode == 1 and "match_data" in frame.message:
                    last = json.loads(base64.b64decode(frame.message["match_data"]["data"]))
            for socket in sockets:
                await socket.hang_up()
    assert last["sum"] == 5

    # The same issuer: players are told apart by it.
    same_issuer = {"LOCKGATE_DEV__PORT": first.issuer.split("/")[2].rpartition(":")[2]}
    with running_server(tmp_path, environment=GAME | same_issuer) as second:
        (restored,) = [event for event in second.events if event["event"] == "match_restored"]
        assert restored["match_id"] == match_id
        assert restored["tick"] >= last["count"] - SNAPSHOT_TICKS
        async with visiting(second) as visitor:
            for name in ("alice", "bob"):
                socket = await visitor.connect(name)
                assert (await joined(socket, match_id))["match"]["match_id"] == match_id
                assert await match_data(socket) == ("1", b"back")
                told = await counted(socket)
                assert told["sum"] == 5
                # It did not run meanwhile, and goes on from where it was.
                behind = (time.monotonic() - died_at) / TICK_S
                assert restored["tick"] < told["count"] <= restored["tick"] + behind
                await socket.hang_up()


async def test_a_player_who_drops_comes_back_to_their_seat(tmp_path: Path) -> None:
    with running_server(tmp_path, environment=GAME) as server:
        async with visiting(server) as visitor:
            alice, bob = await visitor.connect("alice"), await visitor.connect("bob")
            match_id = await created(alice)
            for socket in (alice, bob):
                await joined(socket, match_id)

            alice.drop()
            await alice.hang_up()
            while "leaves" not in (await bob.hear()).get("match_presence_event", {}):
                continue
            again = await visitor.connect("alice")
            await joined(again, match_id)

            assert await match_data(again) == ("1", b"back")
            again.say(match_data_send={"match_id": match_id, "op_code": "1", "data": "Nw=="})
            while (await counted(again))["sum"] != 7:
                continue
            await again.hang_up()
            await bob.hang_up()
