"""Whatever a match does wrong hurts that match, and the log names it. Beside it honest players play on."""

import asyncio
import base64
import inspect
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from server.matches.memory import MIB, resident_bytes
from tests.support.games import faults
from tests.support.inprocess import Live, running
from tests.support.rawsocket import RawSocket
from tests.support.running import RunningServer, running_server
from tests.support.visitor import Visitor

MODULE = "tests.support.games.faults"
QUICK = {"block_warning_ms": 50, "callback_timeout_s": 0.5}
TICKS = 8
"""Of the honest match, after the fault."""


@pytest.fixture(autouse=True)
def _nothing_hoarded() -> Iterator[None]:
    yield
    faults.HOARD.clear()


class Client:
    """A player who hears of everything."""

    def __init__(self, socket: RawSocket, name: str) -> None:
        self.socket = socket
        self.name = name
        self.match_id = ""
        self.ticks: list[int] = []

    async def ask(self, **envelope: Any) -> Any:
        """The answer; match data and presences before it are passed over."""
        self.socket.say(cid="1", **envelope)
        while "cid" not in (heard := await self.socket.hear()):
            self._note(heard)
        return heard

    async def call(self, name: str, payload: str = "") -> Any:
        answer = await self.ask(rpc={"id": name, "payload": payload})
        return answer["rpc"].get("payload", "") if "rpc" in answer else answer["error"]

    async def join(self, match_id: str) -> Any:
        self.match_id = match_id
        return await self.ask(match_join={"match_id": match_id})

    def send(self, text: str) -> None:
        data = base64.b64encode(text.encode()).decode()
        self.socket.say(match_data_send={"match_id": self.match_id, "op_code": "1", "data": data})

    async def hear_back(self, text: str) -> None:
        """Wait for one's own words."""
        while self._note(await self.socket.hear()) != ("1", text):
            pass

    async def hear_ticks(self, count: int) -> None:
        wanted = len(self.ticks) + count
        while len(self.ticks) < wanted:
            self._note(await self.socket.hear())

    def _note(self, heard: Any) -> tuple[str, str] | None:
        if "match_data" not in heard:
            return None
        data = heard["match_data"]
        op_code, text = data["op_code"], base64.b64decode(data.get("data", "")).decode()
        if op_code == "2":
            self.ticks.append(int(text))
        return op_code, text


class Story:
    """Two honest players in a match, one with a bad one, and what is logged."""

    def __init__(self, live: Live, honest: list[Client], victim: Client, logged: list[Any]) -> None:
        self.live = live
        self.honest = honest
        self.victim = victim
        self.logged = logged

    async def begin(self, at: str, does: str) -> str:
        answer = await self.victim.call("create_faulty", json.dumps({"at": at, "does": does}))
        return answer if isinstance(answer, str) else ""

    def events(self, name: str) -> list[Any]:
        return [line for line in self.logged if line["event"] == name]

    def blocked(self, by: str) -> Any:
        """What is told of the match, or the function, that held the server up. Told once.

        On a busy machine honest code may be told of too.
        """
        told = self.events("match_blocks_loop") + self.events("game_code_blocks_loop")
        (line,) = [each for each in told if by in (each.get("match_id"), each.get("name"))]
        return line

    async def play_on(self) -> None:
        """Every honest message arrives, and the honest match misses no tick."""
        for number in range(3):
            for client in self.honest:
                client.send(f"{client.name} {number}")
            for client in self.honest:
                await client.hear_back(f"{self.honest[-1].name} {number}")
        for client in self.honest:
            await client.hear_ticks(TICKS)
            assert client.ticks == list(range(client.ticks[0], client.ticks[0] + len(client.ticks)))


@asynccontextmanager
async def story(folder: Path, **matches: Any) -> AsyncIterator[Story]:
    async with running(folder, modules=(MODULE,), matches=QUICK | matches) as live:
        clients = [Client(await live.connect(name), name) for name in ("alice", "bob", "victor")]
        honest, victim = clients[:2], clients[2]
        try:
            match_id = await victim.call("create_honest")
            for client in honest:
                assert "match" in await client.join(match_id)
            with capture_logs() as logged:
                yield Story(live, honest, victim, logged)
        finally:
            for client in clients:
                await client.socket.hang_up()


def line_of(function: Any, text: str) -> str:
    """Where in the game's module a line of a function is, as the log has it."""
    lines, first = inspect.getsourcelines(function)
    (offset,) = [offset for offset, line in enumerate(lines) if text in line]
    return f"{faults.__file__}:{first + offset}"


async def test_a_tick_that_sleeps_is_named_with_its_line(tmp_path: Path) -> None:
    async with story(tmp_path) as played:
        match_id = await played.begin("tick", "sleep")
        await played.victim.join(match_id)
        await played.play_on()

        told = next(each for each in played.events("match_blocks_loop") if each["match_id"] == match_id)
        assert told["kind"] == "Faulty"
        assert told["at"] == line_of(faults.Faulty.do_sleep, "time.sleep(0.2)")
        assert told["function"] == "Faulty.do_sleep"
        assert match_id in played.live.server.game.matches.matches


@pytest.mark.parametrize("does", ["loop", "wait", "hide"])
async def test_a_tick_that_does_not_come_back_is_stopped_and_ends_its_match(
    tmp_path: Path, does: str
) -> None:
    async with story(tmp_path) as played:
        match_id = await played.begin("tick", does)
        await played.victim.join(match_id)
        ending = await played.victim.socket.ending()
        await played.play_on()

        assert ending == (1000, "server-side session disconnect")
        (failed,) = played.events("match_failed")
        assert failed["match_id"] == match_id
        assert played.blocked(match_id)["function"] == f"Faulty.do_{does}"
        assert failed["error"] == "CallbackTimeout"
        assert f"in do_{does}" in failed["trace"]


@pytest.mark.parametrize(
    ("at", "does", "error"),
    [
        ("tick", "raise", "RuntimeError"),
        ("tick", "exit", "SystemExit"),
        ("tick", "cancel", "CancelledError"),
        ("tick", "return", "TypeError"),
        ("tick", "label", "ValueError"),
        ("tick", "outgrow", "MemoryError"),
        ("join", "raise", "RuntimeError"),
        ("leave", "raise", "RuntimeError"),
        ("leave", "loop", "CallbackTimeout"),
    ],
)
async def test_a_callback_that_raises_or_returns_garbage_ends_its_match_alone(
    tmp_path: Path, at: str, does: str, error: str
) -> None:
    async with story(tmp_path) as played:
        match_id = await played.begin(at, does)
        await played.victim.join(match_id)
        if at == "leave":
            played.victim.socket.say(match_leave={"match_id": match_id})
        else:
            assert await played.victim.socket.ending() == (1000, "server-side session disconnect")
        await played.play_on()

        (failed,) = played.events("match_failed")
        assert (failed["match_id"], failed["error"]) == (match_id, error)
        if does not in ("return", "label"):
            assert f"in do_{does}" in failed["trace"]


@pytest.mark.parametrize(
    ("at", "does"), [("init", "loop"), ("init", "raise"), ("init", "wait"), ("init", "label")]
)
async def test_a_match_that_fails_to_begin_is_not_there(tmp_path: Path, at: str, does: str) -> None:
    async with story(tmp_path) as played:
        assert await played.begin(at, does) == ""
        await played.play_on()

        assert len(played.live.server.game.matches) == 1
        (failed,) = played.events("match_failed")
        assert failed["kind"] == "Faulty"


@pytest.mark.parametrize("does", ["return", "loop", "raise"])
async def test_who_asks_to_join_a_bad_match_is_told_that_there_is_none(tmp_path: Path, does: str) -> None:
    async with story(tmp_path) as played:
        match_id = await played.begin("join_attempt", does)
        answer = await played.victim.join(match_id)
        await played.play_on()

        assert "error" in answer
        (failed,) = played.events("match_failed")
        assert failed["match_id"] == match_id


@pytest.mark.parametrize("does", ["sleep", "loop"])
async def test_a_signal_that_is_answered_with_garbage_or_never_ends_its_match(
    tmp_path: Path, does: str
) -> None:
    async with story(tmp_path) as played:
        match_id = await played.begin("signal", does)
        assert await played.victim.call("ask", match_id) == ""
        await played.play_on()

        (failed,) = played.events("match_failed")
        assert (failed["match_id"], failed["error"]) == (
            match_id,
            {"sleep": "TypeError", "loop": "CallbackTimeout"}[does],
        )


async def test_a_match_that_speaks_to_those_who_left_reaches_nobody_and_goes_on(tmp_path: Path) -> None:
    async with story(tmp_path) as played:
        match_id = await played.begin("tick", "tell the gone")
        await played.victim.join(match_id)
        played.victim.socket.say(match_leave={"match_id": match_id})
        await played.victim.socket.heard_until_pong("left")
        await played.play_on()

        assert await played.victim.socket.heard_until_pong("p") == []
        assert played.live.server.game.matches.matches[match_id].run.context.tick >= TICKS - 1
        assert played.events("match_failed") == []


async def test_a_tick_that_allocates_without_end_is_stopped_at_the_limit(tmp_path: Path) -> None:
    limit = resident_bytes() // MIB + 64
    async with story(tmp_path, memory_limit_mb=limit, callback_timeout_s=20) as played:
        match_id = await played.begin("tick", "hoard")
        await played.victim.join(match_id)
        ending = await played.victim.socket.ending()
        faults.HOARD.clear()
        await played.play_on()

        assert ending == (1000, "server-side session disconnect")
        (failed,) = played.events("match_failed")
        assert (failed["match_id"], failed["error"]) == (match_id, "MemoryLimit")
        assert "in do_hoard" in failed["trace"]
        assert played.events("match_ended")[0]["cause"] == "memory"


async def test_a_match_that_takes_memory_tick_by_tick_is_found_and_ended(tmp_path: Path) -> None:
    limit = resident_bytes() // MIB + 64
    async with story(tmp_path, memory_limit_mb=limit) as played:
        match_id = await played.begin("tick", "leak")
        await played.victim.join(match_id)
        ending = await played.victim.socket.ending()
        faults.HOARD.clear()
        await played.play_on()

        assert ending == (1000, "server-side session disconnect")
        (takes,) = played.events("match_takes_memory")
        assert (takes["match_id"], takes["kind"]) == (match_id, "Faulty")
        assert played.events("match_ended")[0]["cause"] == "memory"


@pytest.mark.parametrize(
    ("name", "function"), [("block", "block_within"), ("block_at_once", "block_at_once")]
)
async def test_a_remote_call_that_blocks_is_named_and_stopped(
    tmp_path: Path, name: str, function: str
) -> None:
    async with story(tmp_path) as played:
        answer = await played.victim.call(name)
        await played.play_on()

        assert "message" in answer
        blocks = played.blocked(name)
        assert (blocks["kind"], blocks["function"]) == ("rpc", function)
        (failed,) = played.events("game_code_failed")
        assert (failed["name"], failed["error"]) == (name, "CallbackTimeout")


async def test_a_snapshot_that_does_not_come_back_ends_its_match(tmp_path: Path) -> None:
    async with story(tmp_path, snapshot_ticks=2) as played:
        match_id = await played.begin("snapshot", "loop")
        await played.victim.join(match_id)
        ending = await played.victim.socket.ending()
        await played.play_on()

        assert ending == (1000, "server-side session disconnect")
        assert [each["match_id"] for each in played.events("match_failed")] == [match_id]


async def test_without_the_timeout_a_blocking_tick_is_only_named(tmp_path: Path) -> None:
    async with story(tmp_path, callback_timeout_s=0) as played:
        match_id = await played.begin("signal", "sleep")
        await played.victim.call("ask", match_id)

        assert played.blocked(match_id)["at"] == line_of(faults.Faulty.do_sleep, "time.sleep")


def test_the_server_as_an_operator_runs_it_stops_an_endless_tick_and_itself(tmp_path: Path) -> None:
    environment = {
        "LOCKGATE_RUNTIME__MODULES": json.dumps([str(faults.__file__)]),
        "LOCKGATE_MATCHES__CALLBACK_TIMEOUT_S": "0.3",
    }
    with running_server(tmp_path, environment=environment) as server:
        asyncio.run(_create(server, {"at": "tick", "does": "hide"}))
        failed = server.wait_for_event("match_failed", limit_s=20)
        blocks = server.wait_for_event("match_blocks_loop", limit_s=1)

    assert failed["error"] == "CallbackTimeout"
    assert blocks["function"] == "Faulty.do_hide"
    assert server.wait_for_event("server_stopped", limit_s=5)


async def _create(server: RunningServer, what: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as http:
        victim = Client(await Visitor(server.public, server.issuer, http).connect("victor"), "victor")
        match_id = await victim.call("create_faulty", json.dumps(what))
        await victim.join(match_id)
        await victim.socket.ending()
