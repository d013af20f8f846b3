"""The TCP connection changes hands from aiohttp to our sockets: nothing is lost, nothing is left behind."""

import asyncio
import functools
import gc
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from structlog.testing import capture_logs

from protocol.messages import MatchLeave, UserPresence
from server import handlers
from server.effects import Effects
from server.observe import logs
from server.sessions.session import Session
from server.transport.websocket import WebSocket
from server.web import listener
from server.web.handover import SiteRunner
from server.world import World
from tests.support.inprocess import Live, running, until
from tests.support.log_output import log_output
from tests.support.rawsocket import FIN, TEXT, RawSocket, client_frame, upgrade_request
from tests.support.visitor import DEFAULT_KEY

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


def ping(cid: str) -> bytes:
    return client_frame(FIN | TEXT, json.dumps({"cid": cid, "ping": {}}).encode())


def pong(cid: str) -> dict[str, Any]:
    return {"cid": cid, "pong": {}}


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Authorization: {DEFAULT_KEY}\r\n\r\n".encode() + body


async def test_a_socket_outlives_the_keepalive_of_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "SiteRunner", functools.partial(SiteRunner, keepalive_timeout=0.2))
    async with running(tmp_path) as live:
        socket = await live.connect("ada")
        other = await live.dial()
        other.write(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await other.answer()).status == 200

        assert await other.read() is None  # the server has given up the idle HTTP connection

        socket.write(ping("1"))
        assert await socket.hear() == pong("1")
        await socket.hang_up()
        await other.hang_up()


async def test_frames_in_the_segment_of_the_request_are_not_lost(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        token = (await live.sign_in("ada"))["token"]
        socket = await live.dial()
        second = ping("2")

        socket.write(upgrade_request(f"/ws?token={token}") + ping("1") + second[:9])

        assert (await socket.answer()).status == 101
        assert await socket.hear() == pong("1")
        socket.write(second[9:])
        assert await socket.hear() == pong("2")
        await socket.hang_up()


async def test_a_login_an_upgrade_and_a_frame_in_one_segment_are_answered_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        token = (await live.sign_in("ada"))["token"]
        login = json.dumps({"id": await live.identity_token("bob")}).encode()
        socket = await live.dial()

        socket.write(
            post("/v2/account/authenticate/custom", login) + upgrade_request(f"/ws?token={token}") + ping("1")
        )

        assert "refresh_token" in (await socket.answer()).body
        assert (await socket.answer()).status == 101
        assert await socket.hear() == pong("1")
        await socket.hang_up()


async def test_a_kept_alive_connection_becomes_a_socket(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        login = json.dumps({"id": await live.identity_token("ada")}).encode()
        socket = await live.dial()
        socket.write(post("/v2/account/authenticate/custom", login))
        token = json.loads((await socket.answer()).body)["token"]

        answer = await socket.upgrade(f"/ws?token={token}")

        assert answer.status == 101
        socket.write(ping("1"))
        assert await socket.hear() == pong("1")
        await socket.hang_up()


async def test_a_refused_connection_can_be_used_again(tmp_path: Path) -> None:
    async with running(tmp_path) as live:
        token = (await live.sign_in("ada"))["token"]
        socket = await live.dial()

        assert (await socket.upgrade("/ws?token=wrong")).status == 401
        assert (await socket.upgrade("/ws?token=wrong")).status == 401
        assert (await socket.upgrade(f"/ws?token={token}")).status == 101

        socket.write(ping("1"))
        assert await socket.hear() == pong("1")
        await socket.hang_up()


# ---- what is left behind


def living(kind: type) -> int:
    return sum(1 for each in gc.get_objects() if issubclass(type(each), kind))


def counts() -> dict[str, int]:
    gc.collect()
    return {kind.__name__: living(kind) for kind in (RequestHandler, web.BaseRequest, WebSocket, Session)}


def tasks() -> int:
    return len(asyncio.all_tasks())


async def test_while_sockets_are_open_nothing_of_http_is_left(tmp_path: Path) -> None:
    async with running(tmp_path, session={"single_socket": False}) as live:
        token = (await live.sign_in("ada"))["token"]
        await until(lambda: open_http(live) == 0)
        before, tasks_before = counts(), tasks()

        sockets = [await live.open(token) for _ in range(50)]

        await until(lambda: open_http(live) == 0 and tasks() == tasks_before)
        now = counts()
        assert now["RequestHandler"] == before["RequestHandler"]
        assert now["BaseRequest"] == before["BaseRequest"]
        assert now["WebSocket"] == before["WebSocket"] + 50
        assert now["Session"] == before["Session"] + 50
        for socket in sockets:
            await socket.hang_up()
        await until(lambda: open_sockets(live) == 0)


async def test_after_600_connects_nothing_is_left(tmp_path: Path) -> None:
    chance = random.Random(5)
    async with running(tmp_path, session={"single_socket": False}) as live:
        token = (await live.sign_in("ada"))["token"]
        await until(lambda: open_http(live) == 0)
        before, tasks_before = counts(), tasks()

        for _ in range(12):
            # A third is aborted: within the request, behind it, or as an open socket.
            ways = [chance.choice((half_a_request, request_only, open_and_drop)) for _ in range(17)]
            await asyncio.gather(*(way(live, token) for way in ways))
            await asyncio.gather(*(open_and_close(live, token) for _ in range(33)))

        await until(lambda: open_http(live) == 0 and open_sockets(live) == 0 and tasks() == tasks_before)
        assert counts() == before
        assert len(live.server._sockets.keepalive) == 0
        assert live.server._registry.opened >= 12 * 33


def open_http(live: Live) -> int:
    site = live.server._listeners._runners[0].server
    assert site is not None
    return len(site.connections)


def open_sockets(live: Live) -> int:
    return len(live.server._registry) + live.server._registry.leaving


async def half_a_request(live: Live, token: str) -> None:
    socket = await live.dial()
    socket.write(upgrade_request(f"/ws?token={token}")[:-20])
    await abort(socket)


async def request_only(live: Live, token: str) -> None:
    socket = await live.dial()
    socket.write(upgrade_request(f"/ws?token={token}") + ping("1"))
    await abort(socket)


async def open_and_drop(live: Live, token: str) -> None:
    await abort(await live.open(token))


async def open_and_close(live: Live, token: str) -> None:
    socket = await live.open(token)
    socket.write(ping("1"))
    socket.close(1000)
    assert await socket.ending() == (1000, "")


async def abort(socket: RawSocket) -> None:
    socket.drop()
    await socket.hang_up()


# ---- the log


async def test_an_upgrade_is_one_line_without_its_query(tmp_path: Path) -> None:
    with capture_logs() as entries:
        async with running(tmp_path) as live:
            token = (await live.sign_in("ada"))["token"]
            socket = await live.open(token)
            await socket.hang_up()

    lines = [entry for entry in entries if entry["event"] == "http_request" and entry["path"] == "/ws"]
    assert [(line["method"], line["status"]) for line in lines] == [("GET", 101)]
    assert token not in str(entries)


# ---- the end


async def test_while_it_drains_open_sockets_are_served_and_nobody_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as live:
        token = (await live.sign_in("bob"))["token"]
        ada, kept = await live.connect("ada"), await live.dial()
        matches_are_over = asyncio.Event()

        async def play_on(_now: asyncio.Event) -> None:
            await matches_are_over.wait()

        monkeypatch.setattr(live.server.game, "drain", play_on)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(live.server.drain(asyncio.Event()))
            await until(lambda: not live.server._upgrade.accepting)

            answer = await kept.upgrade(f"/ws?token={token}")
            assert await ada.heard_until_pong("1") == []
            matches_are_over.set()
            assert await ada.ending() == (4001, "server restarting")

        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        await kept.hang_up()


async def test_shutdown_tells_every_client_and_does_not_wait_for_the_timeout(tmp_path: Path) -> None:
    async with running(tmp_path, socket={"close_timeout_s": 600}) as live:
        sockets = [await live.connect(user) for user in ("ada", "bob", "cem")]

        async with asyncio.timeout(10):
            endings = [socket.ending() for socket in sockets]
            _, *heard = await asyncio.gather(live.server.drain(asyncio.Event()), *endings)
            await live.server.stop()

        assert heard == [(4001, "server restarting")] * 3


async def test_shutdown_ends_a_client_that_does_not_answer_when_asked_twice(tmp_path: Path) -> None:
    async with running(tmp_path, socket={"close_timeout_s": 600}) as live:
        socket = await live.connect("ada")
        socket.closing = True  # it will not answer
        again = asyncio.Event()

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            draining = group.create_task(live.server.drain(again))
            frame = await socket.read()
            assert frame is not None
            assert (frame.code, frame.reason) == (4001, "server restarting")
            assert not draining.done()
            again.set()

        assert await socket.read() is None
        await socket.hang_up()


# ---- loops, and handlers that fail


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_every_loop_serves_without_an_error(tmp_path: Path, loop: str, debug: bool) -> None:
    with (
        log_output() as printed,
        asyncio.Runner(debug=debug, loop_factory=LOOPS[loop]) as runner,
    ):
        logs.configure("debug", "json", printed)
        runner.run(visit(tmp_path))

    events = [json.loads(line) for line in printed.getvalue().splitlines()]
    assert [event for event in events if event["level"] in ("error", "critical")] == []
    assert {"socket_opened", "socket_closed", "server_stopped"} <= {event["event"] for event in events}


async def visit(folder: Path) -> None:
    async with running(folder) as live:
        token = (await live.sign_in("ada"))["token"]
        socket = await live.dial()
        socket.write(upgrade_request(f"/ws?token={token}") + ping("1"))
        assert (await socket.answer()).status == 101
        assert await socket.hear() == pong("1")
        socket.close(1000)
        assert await socket.ending() == (1000, "")
        dropped = await live.open(token)
        await abort(dropped)
        await until(lambda: open_sockets(live) == 0)


async def broken_await(_world: World, _me: UserPresence, _message: MatchLeave) -> Effects:
    raise RuntimeError("secret detail")


def broken(_world: World, _me: UserPresence, _message: MatchLeave) -> Effects:
    raise RuntimeError("secret detail")


@pytest.mark.parametrize("handler", [broken, broken_await])
async def test_a_handler_that_raises_costs_one_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handler: Callable[..., Any]
) -> None:
    monkeypatch.setattr(handlers, "ROUTES", dict(handlers.ROUTES) | {MatchLeave: handler})
    async with running(tmp_path) as live:
        ada, bob = await live.connect("ada"), await live.connect("bob")

        ada.say(cid="1", match_leave={"match_id": "x"})
        ada.say(cid="2", ping={})
        bob.say(cid="3", ping={})

        assert await ada.hear() == {"cid": "1", "error": {"message": "Internal error"}}
        assert await ada.hear() == pong("2")
        assert await bob.hear() == pong("3")
        await ada.hang_up()
        await bob.hang_up()
