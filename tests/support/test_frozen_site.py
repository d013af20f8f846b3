"""The site speaks enough of the wire for a load of echoes."""

import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from tests.support.frozen_site import EchoSite
from tests.support.rawsocket import RawSocket
from tests.support.swarm import serving
from tests.support.visitor import Visitor


@pytest_asyncio.fixture
async def visitor() -> AsyncIterator[Visitor]:
    async with serving(EchoSite()) as url, aiohttp.ClientSession() as http:
        yield Visitor(url.removeprefix("http://"), url, http)


async def test_players_sign_in_and_call(visitor: Visitor) -> None:
    ann = await visitor.connect("ann")

    ann.say(cid="1", rpc={"id": "echo", "payload": "hello"})

    assert await ann.hear() == {"cid": "1", "rpc": {"id": "echo", "payload": "hello"}}
    assert await ann.heard_until_pong("2") == []
    await ann.hang_up()


async def test_a_device_signs_in(visitor: Visitor) -> None:
    device = {"id": str(uuid.uuid4())}

    status, pair = await visitor.ask("POST", "/v2/account/authenticate/device", visitor.server_key, device)

    assert status == 200
    assert pair["token"]


async def test_data_goes_to_those_who_are_named_and_else_to_all_others(visitor: Visitor) -> None:
    ann, bob = await visitor.connect("ann"), await visitor.connect("bob")
    match_id, me = await enter(ann, match_create={})
    await enter(bob, match_join={"match_id": match_id})
    assert (await ann.hear())["match_presence_event"]["joins"]

    ann.say(match_data_send={"match_id": match_id, "op_code": "1", "data": "", "presences": [me]})
    assert (await ann.hear())["match_data"]["presence"] == me
    ann.say(match_data_send={"match_id": match_id, "op_code": "2", "data": ""})
    assert (await bob.hear())["match_data"]["op_code"] == "2"

    ann.say(cid="1", match_leave={"match_id": match_id})
    assert await ann.hear() == {"cid": "1"}
    await ann.hang_up()
    assert (await bob.hear())["match_presence_event"]["leaves"] == [me]
    await bob.hang_up()


async def enter(socket: RawSocket, **request: object) -> tuple[str, dict[str, str]]:
    socket.say(**request)
    match = (await socket.hear())["match"]
    assert "match_presence_event" in await socket.hear()
    return match["match_id"], match["self"]
