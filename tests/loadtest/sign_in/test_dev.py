"""The real development issuer's tokens, shown to the real server."""

import time
from pathlib import Path

import aiohttp

from loadtest.sign_in.bridge import Bridge
from loadtest.sign_in.dev import DevIssuer
from tests.support.running import running_server


async def test_a_prepared_player_gets_a_session_and_a_next_one(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        issuer = server.issuer.rpartition("/")[0]
        async with aiohttp.ClientSession() as http:
            way = DevIssuer(http, issuer)
            await way.prepare(["ann", "bob"])
            bridge = Bridge(http, f"http://{server.host}:{server.port}", "defaultkey")
            tokens = await bridge.authenticate(await way.credential("ann"))
            following = await bridge.refresh(tokens)

    assert following.user_id == tokens.user_id != ""
    assert tokens.expires_at > time.time()
