"""Compressed sockets of a running server, with clients that others have written."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import PerMessageDeflate

from tests.support.inprocess import Live, running

CID = "a" * 3000


async def url_of(live: Live, user: str) -> str:
    return f"ws://{live.server.public}/ws?token={(await live.sign_in(user))['token']}"


async def heard(socket: aiohttp.ClientWebSocketResponse, name: str) -> dict[str, Any]:
    """The next message of this name."""
    while name not in (message := await socket.receive_json()):
        pass
    return dict(message[name])


async def test_a_client_that_offers_compression_gets_it_both_ways(tmp_path: Path) -> None:
    async with (
        running(tmp_path, socket={"compression": True}) as live,
        connect(await url_of(live, "ada"), compression="deflate", ping_interval=None) as client,
    ):
        await client.send(json.dumps({"cid": CID, "ping": {}}))
        answer = json.loads(await client.recv())

        assert answer == {"cid": CID, "pong": {}}
        assert [type(each) for each in client.protocol.extensions] == [PerMessageDeflate]
        assert live.server._sockets.deflater.bytes_after < live.server._sockets.deflater.bytes_before / 10


async def test_compressed_and_plain_sockets_play_in_one_match(tmp_path: Path) -> None:
    async with (
        running(tmp_path, socket={"compression": True}) as live,
        aiohttp.ClientSession() as http,
        http.ws_connect(await url_of(live, "ada"), compress=15) as ada,
        http.ws_connect(await url_of(live, "bob")) as bob,
    ):
        assert ada.compress
        assert not bob.compress
        await ada.send_json({"cid": "1", "match_create": {}})
        match_id = (await ada.receive_json())["match"]["match_id"]
        await bob.send_json({"cid": "2", "match_join": {"match_id": match_id}})
        await heard(bob, "match")
        data = "QUFB" * 700

        for sender, receiver in ((ada, bob), (bob, ada)):
            await sender.send_json({"match_data_send": {"match_id": match_id, "op_code": "1", "data": data}})
            assert (await heard(receiver, "match_data"))["data"] == data


@pytest.mark.parametrize("compression", [False, True])
async def test_offers_that_are_malformed_count_only_where_compression_is_on(
    compression: bool, tmp_path: Path
) -> None:
    async with running(tmp_path, socket={"compression": compression}) as live:
        token = (await live.sign_in("ada"))["token"]
        socket = await live.dial()
        answer = await socket.upgrade(
            f"/ws?token={token}", {"Sec-WebSocket-Extensions": "permessage-deflate; ="}
        )
        await socket.hang_up()

        assert answer.status == (400 if compression else 101)


async def test_offers_are_ignored_unless_compression_is_on(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as live,
        connect(await url_of(live, "ada"), compression="deflate", ping_interval=None) as client,
    ):
        assert client.protocol.extensions == []
