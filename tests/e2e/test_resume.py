"""A connection breaks, and the player comes back with the token of the same login (`socket.resume_s`)."""

import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.support.inprocess import Live, running, until


async def dial(live: Live, token: str, **parameters: str) -> ClientConnection:
    query = "&".join(f"{name}={value}" for name, value in {"token": token, **parameters}.items())
    return await connect(f"ws://{live.server.public}/ws?{query}", ping_interval=None)


async def ask(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    await socket.send(json.dumps({"cid": "1", **message}))
    while True:
        answer: dict[str, Any] = json.loads(await socket.recv())
        if answer.get("cid") == "1":
            return answer


@pytest.mark.parametrize("alive", [True, False])
async def test_a_match_goes_on_over_a_broken_connection(tmp_path: Path, alive: bool) -> None:
    async with running(tmp_path, socket={"resume_s": 30}) as live:
        tokens = {name: (await live.sign_in(name))["token"] for name in ("ada", "bob")}
        ada, bob = [await dial(live, token) for token in tokens.values()]
        match = (await ask(ada, match_create={}))["match"]
        await ask(bob, match_join={"match_id": match["match_id"]})
        assert "match_presence_event" in json.loads(await ada.recv())
        if not alive:
            ada.transport.abort()
            await until(lambda: len(live.server._registry.away) == 1)
            data = {"match_id": match["match_id"], "data": "MQ==", "reliable": True}
            await bob.send(json.dumps({"match_data_send": data}))
        await ask(bob, ping={})

        again = await dial(live, tokens["ada"])

        if not alive:
            assert json.loads(await again.recv())["match_data"]["data"] == "MQ=="
        told = json.loads(await again.recv())["notifications"]["notifications"]
        assert [(each["subject"], each["code"]) for each in told] == [("resumed", -1003)]
        data = {"match_id": match["match_id"], "data": "Mg=="}
        await again.send(json.dumps({"match_data_send": data}))
        heard = json.loads(await bob.recv())  # and nothing before it: nobody left, nobody joined
        assert heard["match_data"]["data"] == "Mg==", heard
        assert heard["match_data"]["presence"]["session_id"] == match["self"]["session_id"]
        for socket in (again, bob):
            await socket.close()
        await until(lambda: len(live.server._registry) == 0)


async def test_without_the_setting_a_broken_connection_is_the_end(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        ada = await dial(live, (await live.sign_in("ada"))["token"])
        await ask(ada, ping={})

        ada.transport.abort()

        await until(lambda: len(live.server._registry) == 0)
