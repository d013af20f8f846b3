"""The JavaScript SDK against a server with a game in it: a match, functions, a stream."""

import asyncio
import json
from pathlib import Path

import jwt
import pytest

from protocol.messages import MatchDataSend
from server.app import Server
from server.core.function import Caller, Function, FunctionError
from server.core.live_match import Left
from server.core.stream import custom_stream
from tests.e2e.test_nakama_js import JSON, MIXED, PROTOBUF
from tests.support.inprocess import running
from tests.support.live_matches import GAME_ID, GameMatches
from tests.support.node import run_script

LABEL = '{"skill":50}'
NEWS = custom_stream(100, label="news")
STEPS = [
    "sign in and connect",
    "change the account",
    "look players up",
    "find matches",
    "join a match of the game",
    "call a function over HTTP",
    "call a function as another server",
    "call a function over the socket",
    "a function puts players on a stream and speaks there",
]


class Game:
    """Functions that reach the server they run in, as game code does."""

    server: Server

    def functions(self) -> dict[str, Function]:
        return {"game/whoami": self.whoami, "refuse": self.refuse, "stream": self.stream}

    async def whoami(self, caller: Caller, payload: str) -> str:
        said = payload or caller.query["payload"][0]
        return json.dumps({"user": caller.username, "said": said})

    async def refuse(self, _caller: Caller, _payload: str) -> str:
        raise FunctionError("not now", 10)

    async def stream(self, caller: Caller, _payload: str) -> str:
        streams, perform = self.server.world.streams, self.server.performer.perform
        perform(streams.join(NEWS, caller.session_id))
        if caller.username == "bob":
            perform(streams.send(NEWS, f"welcome {caller.username}"))
        return ""


@pytest.mark.parametrize("formats", [JSON, PROTOBUF, MIXED])
async def test_the_sdk_reaches_the_game(sdk: Path, tmp_path: Path, formats: tuple[str, str]) -> None:
    game, matches = Game(), GameMatches()
    matches.start(label=LABEL)
    async with running(tmp_path, functions=game.functions(), live_matches=matches) as live:
        game.server = live.server
        players = {}
        for name, spoken in zip(("alice", "bob"), formats, strict=True):
            token = await live.identity_token(name)
            claims = jwt.decode(token, options={"verify_signature": False})
            players[name] = {"jwt": token, "sub": claims["sub"], "format": spoken}
        told = {"host": live.host, "port": str(live.port), "server_key": "defaultkey", **players}
        told |= {"match_id": GAME_ID, "label": LABEL}

        done = await asyncio.to_thread(run_script, sdk / "calls.mjs", json.dumps(told))

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["error"] for line in lines if "error" in line] == []
    assert [line["step"] for line in lines if "step" in line] == STEPS, done.stderr
    assert matches.asked[0] == ("alice", GAME_ID, {"team": "red"})
    assert matches.received == [("alice", MatchDataSend(match_id=GAME_ID, op_code=7, data=b"go"))]
    assert matches.gone == [("alice", GAME_ID, Left.LEFT), ("bob", GAME_ID, Left.DISCONNECTED)]
