"""Too many, too slow, and nonsense: who is turned away; nobody else notices, and nothing is left."""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp.web_protocol import RequestHandler

from protocol.close import CloseReason
from server.sessions.registry import Registry
from server.web.doorkeeper import Doorkeeper
from server.web.entrance import Entrance
from tests.support.inprocess import Live, running, until
from tests.support.living import living
from tests.support.rawsocket import FIN, TEXT, Answer, RawSocket, client_frame, upgrade_request

HONEST, EVIL = "127.0.0.1", "127.0.0.66"
"""Two addresses of this machine."""
HEAD = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n"


async def dial(live: Live, address: str = HONEST) -> RawSocket:
    reader, writer = await asyncio.open_connection(live.host, live.port, local_addr=(address, 0))
    return RawSocket(reader, writer)


async def attempt(live: Live, target: str, address: str = HONEST) -> Answer:
    """Ask for a socket and hang up."""
    socket = await dial(live, address)
    answer = await socket.upgrade(target)
    await socket.hang_up()
    return answer


def places(live: Live) -> int:
    """Sockets that are counted; also what stands in the metrics."""
    return len(entrance(live).admission.places)


def entrance(live: Live) -> Entrance:
    return live.server._listeners.entrance


# ---- sockets


async def test_a_socket_too_many_is_told_to_come_again_before_it_is_asked_anything(tmp_path: Path) -> None:
    async with running(tmp_path, session={"single_socket": False}, admission={"sockets_total": 1}) as live:
        token = (await live.sign_in("ada"))["token"]
        _, made = await live.ask("POST", "/v2/session/ticket", f"Bearer {token}", {})
        first = await live.open(token)

        refused = [await attempt(live, f"/ws?{shown}") for shown in ("", f"ticket={made['ticket']}")]
        await first.hang_up()
        await until(lambda: places(live) == 0)
        second = await attempt(live, f"/ws?ticket={made['ticket']}")

    assert [(answer.status, answer.body) for answer in refused] == [(503, "Too many connections\n")] * 2
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert second.status == 101


async def closes(_live: Live, socket: RawSocket) -> None:
    socket.close(1000)
    await socket.ending()


async def drops(_live: Live, socket: RawSocket) -> None:
    socket.drop()


async def stops_sending(_live: Live, socket: RawSocket) -> None:
    socket._writer.write_eof()
    await socket.rest()


async def breaks_the_protocol(_live: Live, socket: RawSocket) -> None:
    socket.frame(FIN | TEXT, b"{}", masked=False)
    await socket.ending()


async def sends_too_much(_live: Live, socket: RawSocket) -> None:
    socket.frame(FIN | TEXT, b"x" * 100_000)
    await socket.ending()


async def sends_half_a_frame_and_drops(_live: Live, socket: RawSocket) -> None:
    socket.write(client_frame(FIN | TEXT, b'{"ping":{}}')[:5])
    socket.drop()


async def does_not_answer_the_close(live: Live, socket: RawSocket) -> None:
    socket.closing = True
    for session in list(live.server._registry.by_id.values()):
        session.end(CloseReason.DISCONNECTED)
    while await socket.read() is not None:
        pass


async def is_silent(_live: Live, socket: RawSocket) -> None:
    socket.answers_pings = False
    socket.closing = True
    while await socket.read() is not None:
        pass


async def opens_another(live: Live, socket: RawSocket) -> None:
    other = await live.connect("ada")
    await socket.ending()
    await other.hang_up()


async def is_drained(live: Live, socket: RawSocket) -> None:
    await asyncio.gather(live.server.drain(asyncio.Event()), socket.ending())


WAYS = [
    closes,
    drops,
    stops_sending,
    breaks_the_protocol,
    sends_too_much,
    sends_half_a_frame_and_drops,
    does_not_answer_the_close,
    is_silent,
    opens_another,
    is_drained,
]


@pytest.mark.parametrize("ends", WAYS)
async def test_a_socket_frees_its_place_however_it_ends(
    tmp_path: Path, ends: Callable[[Live, RawSocket], Awaitable[None]]
) -> None:
    times = {"ping_interval_s": 0.1, "pong_timeout_s": 0.4, "close_timeout_s": 0.2}
    async with running(
        tmp_path, socket=times, admission={"sockets_per_address": 5, "sockets_total": 5}
    ) as live:
        socket = await live.connect("ada")
        assert places(live) == 1

        await ends(live, socket)

        await until(lambda: places(live) == 0)
        assert entrance(live).admission.places.sites == 0
        await socket.hang_up()


async def test_attempts_that_fail_take_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, admission={"sockets_total": 1}) as live:
        token = (await live.sign_in("ada"))["token"]
        for target in ("/ws", "/ws?token=wrong", f"/ws?token={token}&format=xml"):
            assert (await attempt(live, target)).status in (400, 401)
        aborted = await dial(live)
        aborted.write(upgrade_request(f"/ws?token={token}"))
        aborted.drop()
        await until(lambda: len(entrance(live).connections) == 0 and places(live) == 0)

        with monkeypatch.context() as patched:
            patched.setattr(Registry, "open", _broken)
            broken = await dial(live)
            broken.write(upgrade_request(f"/ws?token={token}"))
            await until(lambda: live.server._upgrade.refused == 3)
            while await broken._reader.read(1000):
                pass
            await broken.hang_up()
        await until(lambda: places(live) == 0)

        assert (await attempt(live, f"/ws?token={token}")).status == 101


def _broken(*_: object, **__: object) -> None:
    raise RuntimeError("broken")


async def test_an_address_that_floods_uses_up_its_own_places_and_rate_alone(tmp_path: Path) -> None:
    limits = {"sockets_per_address": 3, "handshakes_per_s": 300, "handshakes_per_s_per_address": 2}
    async with running(tmp_path, session={"single_socket": False}, admission=limits) as live:
        token = (await live.sign_in("ada"))["token"]

        flood = [await attempt(live, "/ws?token=wrong", EVIL) for _ in range(200)]
        honest = [await attempt(live, f"/ws?token={token}") for _ in range(10)]

        counts = entrance(live).refusals.counts
    assert {answer.status for answer in flood} == {401, 503}
    assert [answer.status for answer in flood].count(401) <= 30
    assert [answer.status for answer in honest] == [101] * 10
    assert counts["handshakes_per_s_per_address"] >= 170


async def test_who_is_turned_away_and_comes_when_told_gets_in(tmp_path: Path) -> None:
    async with running(
        tmp_path, session={"single_socket": False}, admission={"handshakes_per_s": 20}
    ) as live:
        token = (await live.sign_in("ada"))["token"]

        async def persist() -> int:
            for attempts in range(1, 10):
                answer = await attempt(live, f"/ws?token={token}")
                if answer.status == 101:
                    return attempts
                await asyncio.sleep(int(answer.headers["retry-after"]))
            raise AssertionError("never got in")

        attempts = await asyncio.gather(*(persist() for _ in range(50)))

    assert sum(attempts) <= 50 * 3


# ---- TCP connections


async def test_a_head_that_does_not_come_to_an_end_is_ended(tmp_path: Path) -> None:
    async with running(tmp_path, admission={"head_timeout_s": 0.4}) as live:
        slow = [await dial(live) for _ in range(20)]
        for socket in slow:
            socket.write(HEAD)

        async def trickle(socket: RawSocket) -> Answer:
            while not socket._reader._buffer:  # type: ignore[attr-defined]  # whether it was answered
                socket.write(b"X: y\r\n")
                await asyncio.sleep(0.05)
            return await socket.answer()

        answers = await asyncio.gather(*(trickle(socket) for socket in slow))
        await until(lambda: len(entrance(live).connections) == 0)
        for socket in slow:
            await socket.hang_up()
        assert entrance(live).refusals.counts["head_timeout"] == 20

    assert {answer.status for answer in answers} == {408}
    assert all(answer.headers["connection"] == "close" for answer in answers)
    assert json.loads(answers[0].body) == {"code": 4, "message": "Request Timeout"}


async def test_a_body_that_does_not_come_to_an_end_is_ended(tmp_path: Path) -> None:
    async with running(tmp_path, admission={"head_timeout_s": 0.4, "request_timeout_s": 0.4}) as live:
        socket = await dial(live)
        socket.write(
            b"POST /v2/account/authenticate/custom HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            b"Authorization: Basic ZGVmYXVsdGtleTo=\r\n\r\n{"
        )

        answer = await socket.answer()
        assert await socket._reader.read() == b""
        await until(lambda: len(entrance(live).connections) == 0)
        await socket.hang_up()

        assert entrance(live).refusals.counts["body_timeout"] == 1
    assert answer.status == 408


async def test_an_idle_connection_outlives_the_time_for_a_head(tmp_path: Path) -> None:
    async with running(tmp_path, admission={"head_timeout_s": 0.2, "request_timeout_s": 0.2}) as live:
        kept, silent = await dial(live), await dial(live)
        kept.write(HEAD + b"\r\n")
        assert (await kept.answer()).status == 200

        assert await silent.read() is None
        again = await dial(live)
        assert await again.read() is None

        kept.write(HEAD + b"\r\n")
        assert (await kept.answer()).status == 200
        for socket in (kept, silent, again):
            await socket.hang_up()


async def test_connections_that_say_nothing_shut_nobody_out_and_are_bounded(tmp_path: Path) -> None:
    limits = {"connections_total": 60, "connections_per_address": 40}
    async with running(tmp_path, admission=limits) as live:
        player = await live.connect("ada")
        before = living(RequestHandler, Doorkeeper)

        silent = [await dial(live, EVIL) for _ in range(300)]
        answers = await asyncio.gather(*(socket._reader.read() for socket in silent[40:]))
        most = living(RequestHandler)
        other = await live.connect("bob")
        for socket in (player, other):
            assert await socket.heard_until_pong("1") == []

        assert most - before <= 60
        assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers)
        for socket in (*silent, player, other):
            await socket.hang_up()
        await until(lambda: len(entrance(live).connections) == 0 and entrance(live).connections.told == 0)
        await until(lambda: places(live) == 0)
        assert living(RequestHandler, Doorkeeper) <= before


async def test_idle_connections_make_room_for_those_who_come(tmp_path: Path) -> None:
    async with running(tmp_path, admission={"connections_total": 5}) as live:
        idle = [await dial(live) for _ in range(5)]
        for socket in idle:
            socket.write(HEAD + b"\r\n")
            assert (await socket.answer()).status == 200

        player = await live.connect("ada")  # signs in and connects: two more

        assert await player.heard_until_pong("1") == []
        assert entrance(live).refusals.counts["connections_total"] == 0
        assert entrance(live).refusals.counts["room"] >= 1
        for socket in (*idle, player):
            await socket.hang_up()


# ---- nonsense


async def test_nonsense_from_all_sides_leaves_the_honest_alone_and_nothing_behind(tmp_path: Path) -> None:
    chance = random.Random(11)
    async with running(tmp_path, admission={"head_timeout_s": 1, "request_timeout_s": 1}) as live:
        token = (await live.sign_in("ada"))["token"]
        player = await live.open(token)
        await until(lambda: len(entrance(live).connections) == 0)
        before, tasks = living(RequestHandler, Doorkeeper), len(asyncio.all_tasks())

        async def one(number: int) -> None:
            socket = await dial(live, EVIL)
            socket.write(chance.choice(NONSENSE)(chance, token))
            if number % 3 == 0:
                socket.drop()
            elif number % 3 == 1:
                with contextlib.suppress(TimeoutError):  # some are answered and kept alive
                    async with asyncio.timeout(0.5):
                        while await socket._reader.read(65_536):
                            pass
            await socket.hang_up()

        for start in range(0, 300, 50):
            rude = asyncio.gather(
                *(one(number) for number in range(start, start + 50)), return_exceptions=True
            )
            for _ in range(5):
                assert await player.heard_until_pong("1") == []
            faults = [fault for fault in await rude if fault is not None]
            assert [fault for fault in faults if not isinstance(fault, ConnectionError)] == []

        await until(lambda: len(entrance(live).connections) == 0 and places(live) == 1)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await until(lambda: living(RequestHandler, Doorkeeper) <= before)
        assert await player.heard_until_pong("2") == []
        await player.hang_up()


Nonsense = Callable[[random.Random, str], bytes]

NONSENSE: list[Nonsense] = [
    lambda chance, _: chance.randbytes(chance.randint(1, 5000)),
    lambda chance, _: (
        HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 100) for n in range(chance.randint(1, 500)))
    ),
    lambda chance, _: HEAD + b"X: " + b"y" * chance.randint(1000, 300_000),
    lambda chance, token: upgrade_request(f"/ws?token={token}")[: chance.randint(1, 200)],
    lambda chance, token: upgrade_request("/ws?token=wrong") * chance.randint(1, 100),
    lambda chance, token: (HEAD + b"\r\n") * chance.randint(1, 200),
    lambda chance, token: (
        b"POST /v2/account HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
        + b"z" * chance.randint(0, 100_000)
    ),
    lambda chance, token: (
        b"POST /v2/account HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chance.randbytes(chance.randint(1, 3000))
    ),
    lambda chance, token: upgrade_request(f"/ws?token={token[:-2]}xx") + chance.randbytes(1000),
    lambda chance, _: b"\x16\x03\x01" + chance.randbytes(300),
]
