"""`lockgate replay`, as a developer runs it."""

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from server.cli import main
from server.matches.recorder import Recorder, header_of
from server.runtime import Context
from server.runtime.journal import RecordedRun
from server.runtime.loader import load_module
from server.runtime.players import Player
from server.runtime.run import Limits
from tests.support.running import RunningServer, running_server, without_settings
from tests.support.visitor import Visitor

ROOT = Path(__file__).parents[2]
GAME = """
from server.runtime import Match, rpc, server

class Dice(Match):
    def init(self, params):
        self.thrown = set()

    def tick(self, inputs):
        for each in inputs:
            self.thrown.add(each.data.decode())
        number = self.context.random.randint(1, 6)
        self.dispatcher.broadcast(1, {"number": number, "said": list(self.thrown)})

@rpc
async def create(caller, payload):
    return await server.create_match(Dice)
"""
PLAYERS = [Player(name, f"session-{name}", name) for name in ("alice", "bob")]


@pytest.fixture
def game(tmp_path: Path) -> Path:
    file = tmp_path / f"dice_{abs(hash(tmp_path))}.py"
    file.write_text(GAME.replace("list(self.thrown)", "sorted(self.thrown)"))
    return file


@pytest.fixture
def game_of_sets(game: Path) -> Path:
    game.write_text(GAME)
    return game


@pytest.fixture
def recording(tmp_path: Path, game: Path) -> Path:
    """Thirty ticks with two players."""
    match = vars(load_module(str(game)))["Dice"]()
    context = Context("id.node", "node", 10, seed=3)
    made = Recorder(tmp_path / "recordings", 1_000_000, 10).open(header_of(match, context, Limits()))
    assert made is not None
    run = RecordedRun(match, context, Limits(), made)
    run.begin({}, 100.0)
    for player in PLAYERS:
        run.enter(player, 100.0)
    for tick in range(30):
        run.take(PLAYERS[tick % 2].session_id, 1, str(tick % 3).encode(), reliable=True, now=100.0 + tick)
        run.step(100.0 + tick)
    made.close()
    return made.path


def replayed(recording: Path, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", "replay", str(recording), *options],
        cwd=ROOT,
        env=without_settings(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_same_code_says_the_same(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording)]) == 0

    assert capsys.readouterr().out == (
        "the same up to tick 29\n30 ticks, 2 joins, 30 inputs, 30 broadcasts, 29.0 s\n"
    )


def test_other_code_is_told_with_the_first_tick_that_differs(recording: Path, game: Path) -> None:
    source = game.read_text()
    game.write_text(
        source.replace("        number", "        if self.context.tick == 17: return\n        number")
    )

    done = replayed(recording)

    assert done.returncode == 1
    assert done.stdout.startswith("tick 17: step gave something else, after 17 ticks")
    assert re.search(r"recorded: broadcast 1 to all: .*\n  now:      nothing", done.stdout)
    assert "is not as it was when the match was recorded" in done.stderr


def test_another_module_can_be_named(recording: Path, game: Path, tmp_path: Path) -> None:
    other = tmp_path / "other_dice.py"
    game.rename(other)

    assert replayed(recording).returncode == 2
    assert replayed(recording, "--module", str(other)).returncode == 0


def test_a_torn_recording_is_run_up_to_its_last_whole_entry(recording: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-7])

    done = replayed(recording)

    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "the same up to tick 29")
    assert "29 ticks" in done.stdout


def test_the_debugger_stops_before_a_tick_and_goes_into_its_code(recording: Path) -> None:
    done = replayed(
        recording, "--until", "4", stdin="p context.tick, len(inputs), list(players)\nc\nn\np each.data\nq\n"
    )

    assert "Before tick 4" in done.stdout
    assert "(4, 1, ['session-alice', 'session-bob'])" in done.stdout
    assert "for each in inputs" in done.stdout
    assert "b'1'" in done.stdout
    assert done.returncode == 2
    assert "stopped in the debugger" in done.stderr


@pytest.mark.parametrize("data", [b"", b"nonsense", b"lockgate recording 1\n", b"lockgate recording 2\n"])
def test_what_is_no_recording_is_told(
    tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)

    assert main(["replay", str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path / "none")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_server_records_and_its_match_replays(
    tmp_path: Path, game_of_sets: Path, how: signal.Signals
) -> None:
    settings = {
        "LOCKGATE_RUNTIME__MODULES": json.dumps([str(game_of_sets)]),
        "LOCKGATE_MATCHES__RECORD": "true",
    }
    with running_server(tmp_path, environment=settings) as server:
        # Sets of texts are in the order of the process that recorded.
        assert int(environment_of(server)["PYTHONHASHSEED"]) > 0
        await asyncio.wait_for(_play(server.public, server.issuer), 30)
        if how is signal.SIGKILL:
            server.kill()
            server.process.wait()

    (recording,) = files_in(tmp_path / "data" / "recordings")
    assert mode_of(recording) == 0o600
    done = replayed(recording)

    assert (done.returncode, done.stderr) == (0, "")
    ticks, inputs = re.search(r"(\d+) ticks, 1 joins, (\d+) inputs", done.stdout).groups()  # type: ignore[union-attr]  # else it fails
    assert int(ticks) >= 5
    assert int(inputs) == 20


async def _play(public: str, issuer: str) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        alice = await Visitor(public, issuer, http).connect("alice")
        alice.say(cid="1", rpc={"id": "create"})
        match_id = (await alice.hear())["rpc"]["payload"]
        alice.say(cid="2", match_join={"match_id": match_id})
        for number in range(20):
            data = base64.b64encode(f"word {number}".encode()).decode()
            alice.say(match_data_send={"match_id": match_id, "op_code": "1", "data": data})
        heard = 0
        while heard < 5:
            heard += "match_data" in await alice.hear()
        await alice.hang_up()


def test_nothing_is_started_again_without_recording(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        environment = environment_of(server)

    assert environment.get("PYTHONHASHSEED") == os.environ.get("PYTHONHASHSEED")


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def environment_of(server: RunningServer) -> dict[str, str]:
    """What a process was started with."""
    lines = Path(f"/proc/{server.process.pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)
