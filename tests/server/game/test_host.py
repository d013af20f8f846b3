"""The game in one server: stopped in time, and told what it must know."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from server.app import Server
from server.ids import RandomIds
from server.runtime import ObjectId
from server.runtime.game import GameError
from server.storage.store import Store
from server.tasks import TaskOwner
from tests.support.databases import sqlite_url
from tests.support.inprocess import running, settings_in, until

GAME = """
from server.runtime import Match, rpc, server

class Slow(Match):
    tick_rate = 60

    def init(self, params):
        self.ends = params.get("ends", True)

    def tick(self, inputs):
        pass

    def terminate(self, grace_s):
        self.dispatcher.broadcast(9, f"{grace_s:g} seconds")
        if self.ends:
            self.dispatcher.end()

@rpc
async def create(caller, payload):
    return await server.create_match(Slow, {"ends": payload != "never"})

@rpc
def number(caller, payload):
    return 7
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    file = tmp_path / f"game_{abs(hash(tmp_path))}.py"
    file.write_text(GAME)
    return str(file)


async def drained(live_server: Server) -> None:
    await live_server.drain(asyncio.Event())


async def test_matches_have_their_grace_and_tell_their_players(tmp_path: Path, module: str) -> None:
    async with running(tmp_path, modules=(module,), matches={"stop_grace_s": 60}) as live:
        alice = await live.connect("alice")
        alice.say(cid="1", rpc={"id": "create"})
        match_id = (await alice.hear())["rpc"]["payload"]
        alice.say(cid="2", match_join={"match_id": match_id})
        await alice.hear()
        await alice.hear()

        await asyncio.gather(drained(live.server), alice_hears_of_the_end(alice))

        assert len(live.server.game.matches) == 0


async def alice_hears_of_the_end(alice: Any) -> None:
    data = (await alice.hear())["match_data"]
    assert base64.b64decode(data["data"]) == b"60 seconds"
    assert (await alice.ending())[0] == 4001


async def test_a_second_signal_does_not_wait_for_matches(tmp_path: Path, module: str) -> None:
    async with running(tmp_path, modules=(module,), matches={"stop_grace_s": 3600}) as live:
        alice = await live.connect("alice")
        alice.say(cid="1", rpc={"id": "create", "payload": "never"})
        await alice.hear()
        now = asyncio.Event()
        drain = TaskOwner("test").spawn("drain", live.server.drain(now))
        await until(lambda: not live.server.game.matches.accepting)
        assert len(live.server.game.matches) == 1

        now.set()
        await asyncio.wait_for(asyncio.gather(drain, alice.ending()), 10)

        assert len(live.server.game.matches) == 0


async def test_an_answer_that_is_no_text_is_json(tmp_path: Path, module: str) -> None:
    async with running(tmp_path, modules=(module,)) as live:
        alice = await live.connect("alice")
        alice.say(cid="1", rpc={"id": "number"})

        assert json.loads((await alice.hear())["rpc"]["payload"]) == 7
        await alice.hang_up()


HOOKS = """
import asyncio
from server.runtime import before_authenticate, rpc, server, session_end

@before_authenticate
def check(identity):
    return "Not you" if identity.claims["username"] == "mallory" else None

@session_end
async def remember(caller, reason):
    await asyncio.sleep(0.05)
    await server.storage.put("seen", caller.username, {"reason": reason})
"""


async def test_a_module_may_refuse_who_signs_in(tmp_path: Path) -> None:
    (tmp_path / "hooks_of_auth.py").write_text(HOOKS)
    async with running(tmp_path, modules=(str(tmp_path / "hooks_of_auth.py"),)) as live:
        body = {"id": await live.identity_token("mallory")}

        status, answer = await live.ask("POST", "/v2/account/authenticate/custom", live.server_key, body)

        assert (status, answer["message"]) == (403, "Not you")
        await (await live.connect("alice")).hang_up()


async def test_what_was_begun_when_the_server_stopped_is_finished(tmp_path: Path) -> None:
    (tmp_path / "hooks_of_end.py").write_text(HOOKS)
    async with running(tmp_path, modules=(str(tmp_path / "hooks_of_end.py"),)) as live:
        alice = await live.connect("alice")
        await asyncio.gather(drained(live.server), alice.ending())

    store = Store(RandomIds("test"))
    await store.open(sqlite_url(tmp_path))
    (seen,) = await store.objects.read([ObjectId("seen", "alice")])
    await store.close()
    assert seen.value == {"reason": "server restarting"}


def test_a_game_that_cannot_be_loaded_starts_no_server(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, runtime={"modules": ["no_such_game"]})

    with pytest.raises(GameError, match="no_such_game: there is no such module"):
        Server(settings)
