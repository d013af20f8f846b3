"""The JavaScript SDK against servers with games in them: the reference's behaviours, and the examples."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.test_nakama_js import JSON, MIXED, PROTOBUF
from tests.support.inprocess import running
from tests.support.node import run_script

REFERENCE = [
    "sign in, and be greeted by the game",
    "echo over socket and HTTP",
    "call by the key of a server",
    "a call that refuses, one that fails, one that is not there",
    "a notification sent by a call, now and later",
    "a stream joined and written by a call",
    "a match made by a call is found at once by its label",
    "join it, be refused, and hear each other",
    "be kicked",
    "a match ends, and says nothing any more",
    "a hook changes a message, and refuses one",
    "the matched are given a match of the game",
    "or of a relayed one, if the game says so",
    "a match that fails puts its players out, and only them",
]
GAMES = [
    "connect",
    "tic-tac-toe: seats are taken, a third is refused",
    "tic-tac-toe: who cheats is told, and who has three wins",
    "arena: all are told of what is near, and of nothing else",
    "arena: a runner runs where it is told, and not faster than it may",
    "arena: who missed something is sent the whole",
    "lobby: a party and two others are found for each other",
    "lobby: when all are ready they are led into one game",
]
Formats = tuple[str, str]


async def played(script: Path, folder: Path, module: str, names: list[str], formats: Formats) -> list[str]:
    """The steps of a story that held. Fails with what did not."""
    async with running(folder, modules=(module,), matchmaker={"interval_s": 1}) as live:
        players = {
            name: {"jwt": await live.identity_token(name), "format": formats[number % 2]}
            for number, name in enumerate(names)
        }
        told = {"host": live.host, "port": str(live.port), "server_key": "defaultkey", **players}
        done = await asyncio.to_thread(run_script, script, json.dumps(told))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["error"] for line in lines if "error" in line] == []
    return [line["step"] for line in lines if "step" in line]


@pytest.mark.parametrize("formats", [JSON, PROTOBUF, MIXED])
async def test_a_game_does_what_games_of_the_reference_do(
    sdk: Path, tmp_path: Path, formats: Formats
) -> None:
    module = "tests.support.games.reference"

    steps = await played(sdk / "reference.mjs", tmp_path, module, ["alice", "bob"], formats)

    assert steps == REFERENCE


@pytest.mark.parametrize("formats", [JSON, MIXED])
async def test_the_examples_are_played(sdk: Path, tmp_path: Path, formats: Formats) -> None:
    module = "tests.support.games.examples"

    steps = await played(sdk / "games.mjs", tmp_path, module, ["alice", "bob", "carol", "dora"], formats)

    assert steps == GAMES
