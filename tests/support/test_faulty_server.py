"""The faulty server as a process: how it is asked for a fault, and what it tells."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from server.app import Server
from server.perform import Performer
from server.sessions.outbox import Outbox
from server.sessions.registry import Registry
from server.transport.websocket import WebSocket
from server.web.upgrade import Upgrade
from tests.support.faulty_server import FAULTS, faulty_server, main, planted, struck
from tests.support.freezes import freezes_of
from tests.support.paced import paced_pings
from tests.support.running import RunningServer
from tests.support.talking import hang_up, heard, room, said, speak
from tests.support.visitor import Visitor

SAID = 12
WRAPPED: list[tuple[type, str]] = [
    (Outbox, "put"),
    (Performer, "_deliver"),
    (WebSocket, "flush"),
    (WebSocket, "answer"),
    (Registry, "_take_over"),
    (Upgrade, "__call__"),
    (Server, "start"),
    (Server, "stop"),
]


@asynccontextmanager
async def visiting(server: RunningServer) -> AsyncIterator[Visitor]:
    """What a client of a server process needs."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
        yield Visitor(server.public, server.issuer, http)


async def test_a_process_tells_how_often_its_fault_struck(tmp_path: Path) -> None:
    with faulty_server(tmp_path, "drop:5") as server:
        async with visiting(server) as visitor:
            match_id, (ann, bob) = await room(visitor, "ann", "bob")
            speak(ann, match_id, range(SAID))
            assert len(await heard(ann, bob)) == SAID - 2
            await hang_up(ann, bob)
    assert struck(server) == 2


async def test_a_crash_is_a_kill_in_the_middle(tmp_path: Path) -> None:
    with faulty_server(tmp_path, "crash:5") as server:
        server.killed = True  # by itself
        async with visiting(server) as visitor:
            match_id, (ann, bob) = await room(visitor, "ann", "bob")
            speak(ann, match_id, range(SAID))
            received = [said(frame.message) for frame in await bob.rest()]
            assert received == [f"{number:02}" for number in range(len(received))]
            assert len(received) < 5
            await hang_up(ann, bob)
        assert await asyncio.to_thread(server.process.wait, 10) == -signal.SIGKILL
    assert struck(server) == 1


async def test_a_frozen_process_answers_when_it_thaws(tmp_path: Path) -> None:
    with faulty_server(tmp_path, "freeze:0.4:0.2") as server:
        async with visiting(server) as visitor:
            ann = await visitor.connect("ann")
            begun = time.monotonic()
            pings = await paced_pings(ann, [begun + number * 0.01 for number in range(100)])
            await hang_up(ann)
    stood_still = freezes_of(server.events)
    met = [(each, ended) for each in pings for begun, ended in stood_still if begun < each.sent_s < ended]
    assert len(met) > 10
    assert all(each.answered_s >= ended for each, ended in met)
    assert all(ended - begun >= 0.2 for begun, ended in stood_still)
    assert struck(server) == len(stood_still)


@pytest.mark.parametrize(
    "text", ["", "dorp", "drop:0", "drop:1:-1", "drop:x", "drop:1:2:3", "freeze:1", "freeze:1:2"]
)
def test_a_fault_that_makes_no_sense_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([text, "serve", "--dev"]) == 2
    assert capsys.readouterr().err.startswith("faulty_server: ")


@pytest.mark.parametrize("name", FAULTS)
def test_the_server_is_itself_again_when_a_fault_is_lifted(name: str) -> None:
    before = [getattr(owner, function) for owner, function in WRAPPED]

    with planted("freeze:1:0.5" if name == "freeze" else name):
        pass

    assert [getattr(owner, function) for owner, function in WRAPPED] == before
