"""TLS on the public listeners: sockets as without it, handshakes that are none, certificates that change."""

import asyncio
import contextlib
import json
import logging
import shutil
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp.web_protocol import RequestHandler
from structlog.testing import capture_logs

from server.observe import logs
from tests.support.inprocess import Live, running, until
from tests.support.living import living
from tests.support.log_output import log_output
from tests.support.rawsocket import FIN, TEXT, RawSocket, client_frame, upgrade_request
from tests.support.running import running_server
from tests.support.tls import Certificate

LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path, "localhost", "127.0.0.1")


@asynccontextmanager
async def secure(folder: Path, certificate: Certificate, **settings: Any) -> AsyncIterator[Live]:
    async with running(folder, certificate=certificate, session={"single_socket": False}, **settings) as live:
        yield live


def ping(cid: str) -> bytes:
    return client_frame(FIN | TEXT, json.dumps({"cid": cid, "ping": {}}).encode())


def connections(live: Live) -> int:
    entrance = live.server._listeners.entrance
    return len(entrance.connections) + len(entrance.admission.places)


def counts(live: Live) -> dict[str, int]:
    return live.server._listeners.entrance.refusals.counts


# ---- the hand-over


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("debug", [False, True], ids=["", "debug"])
def test_every_loop_hands_over_without_an_error(
    tmp_path: Path, certificate: Certificate, loop: str, debug: bool
) -> None:
    with log_output() as printed, asyncio.Runner(debug=debug, loop_factory=LOOPS[loop]) as runner:
        logs.configure("debug", "json", printed)
        runner.run(visit(tmp_path, certificate))

    events = [json.loads(line) for line in printed.getvalue().splitlines()]
    assert [event for event in events if event["level"] in ("error", "critical")] == []
    ready = next(event for event in events if event["event"] == "server_ready")
    assert ready["tls"] is True
    assert "PRIVATE KEY" not in printed.getvalue()


async def visit(folder: Path, certificate: Certificate) -> None:
    async with secure(folder, certificate) as live:
        token = (await live.sign_in("ada"))["token"]
        second = ping("2")
        socket = await live.dial()
        assert (await socket.upgrade("/ws?token=wrong")).status == 401
        socket.write(upgrade_request(f"/ws?token={token}") + ping("1") + second[:9])
        assert (await socket.answer()).status == 101
        assert await socket.hear() == {"cid": "1", "pong": {}}
        socket.write(second[9:])
        assert await socket.hear() == {"cid": "2", "pong": {}}
        socket.close(1000)
        assert await socket.ending() == (1000, "")

        dropped = await live.open(token)
        dropped.drop()
        await dropped.hang_up()
        spoilt = await live.open(token)
        spoilt.frame(FIN | TEXT, b"{}", masked=False)
        assert (await spoilt.ending())[0] == 1002
        await until(lambda: connections(live) == 0)


async def test_after_many_connects_nothing_is_left(tmp_path: Path, certificate: Certificate) -> None:
    async with secure(tmp_path, certificate) as live:
        token = (await live.sign_in("ada"))["token"]
        await until(lambda: connections(live) == 0)
        before, tasks = living(RequestHandler), len(asyncio.all_tasks())

        async def come(number: int) -> None:
            socket = await live.dial()
            if number % 3 == 1:
                socket.write(upgrade_request(f"/ws?token={token}")[: 20 * (number % 7)])
                socket.drop()
            else:
                assert (await socket.upgrade(f"/ws?token={token}")).status == 101
                assert await socket.heard_until_pong("1") == []
            await socket.hang_up()

        for start in range(0, 60, 20):
            await asyncio.gather(*(come(number) for number in range(start, start + 20)))

        await until(lambda: connections(live) == 0 and len(asyncio.all_tasks()) <= tasks)
        await until(lambda: living(RequestHandler) <= before)
        assert len(live.server._sockets.keepalive) == 0


async def test_a_burst_arrives_whole_over_tls(tmp_path: Path, certificate: Certificate) -> None:
    async with secure(tmp_path, certificate) as live:
        socket = await live.connect("ada")
        cids = [f"{number:0500}" for number in range(1000)]

        for cid in cids:
            socket.write(ping(cid))
        answers = [await socket.hear() for _ in cids]

        assert answers == [{"cid": cid, "pong": {}} for cid in cids]
        await socket.hang_up()


async def test_a_stop_tells_every_client_over_tls(tmp_path: Path, certificate: Certificate) -> None:
    async with secure(tmp_path, certificate) as live:
        sockets = [await live.connect(user) for user in ("ada", "bob")]

        async with asyncio.timeout(10):
            _, *heard = await asyncio.gather(
                live.server.drain(asyncio.Event()), *(socket.ending() for socket in sockets)
            )

    assert heard == [(4001, "server restarting")] * 2


# ---- handshakes that are none


async def test_what_is_no_handshake_is_ended_and_leaves_nothing(
    tmp_path: Path, certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    async with secure(tmp_path, certificate, admission={"head_timeout_s": 0.5}) as live:
        player = await live.connect("ada")
        before, tasks = living(RequestHandler), len(asyncio.all_tasks())
        rude = [await RawSocket.dial(live.host, live.port) for _ in range(40)]
        for number, socket in enumerate(rude):
            match number % 4:
                case 0:
                    socket.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                case 1:
                    socket.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
                case 2:
                    socket.drop()
                case _:
                    pass  # says nothing

        async with asyncio.timeout(10):
            for socket in rude:
                while await socket._reader.read(1000):
                    pass
        for socket in rude:
            await socket.hang_up()

        await until(lambda: len(live.server._listeners.entrance.connections) == 0)
        await until(lambda: len(asyncio.all_tasks()) <= tasks and living(RequestHandler) <= before)
        assert counts(live)["tls"] >= 20
        assert await player.heard_until_pong("1") == []
        await player.hang_up()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_connection_for_which_there_is_no_place_does_not_get_to_its_handshake(
    tmp_path: Path, certificate: Certificate
) -> None:
    async with secure(tmp_path, certificate, admission={"connections_per_address": 3}) as live:
        silent = [await RawSocket.dial(live.host, live.port) for _ in range(3)]
        await until(lambda: len(live.server._listeners.entrance.connections) == 3)

        with pytest.raises(OSError):  # which one depends on who was faster
            await live.dial()

        assert counts(live)["connections_per_address"] == 1
        assert counts(live)["tls"] == 0
        for socket in silent:
            await socket.hang_up()
        await until(lambda: len(live.server._listeners.entrance.connections) == 0)


async def test_versions_before_1_2_are_not_spoken(tmp_path: Path, certificate: Certificate) -> None:
    async with secure(tmp_path, certificate) as live:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1

        with pytest.raises(ssl.SSLError):
            await RawSocket.dial(live.host, live.port, old)


async def test_a_stop_during_a_handshake_ends_it(tmp_path: Path, certificate: Certificate) -> None:
    async with secure(tmp_path, certificate) as live:
        silent = await RawSocket.dial(live.host, live.port)
        await until(lambda: len(live.server._listeners.entrance.connections) == 1)

        await live.server.stop()

        assert await silent.read() is None
        assert len(live.server._listeners.entrance.connections) == 0
        await silent.hang_up()


async def test_operators_are_served_without_tls(tmp_path: Path, certificate: Certificate) -> None:
    async with secure(tmp_path, certificate) as live:

        def ask() -> int:
            with urllib.request.urlopen(f"http://{live.server.ops}/readyz", timeout=5) as answer:
                return int(answer.status)

        assert await asyncio.to_thread(ask) == 200


# ---- certificates that change


async def shown(live: Live) -> bytes:
    """The certificate that a new connection is shown."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(live.host, live.port, ssl=anyone)
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return der


async def test_a_new_certificate_is_shown_without_a_restart_and_a_broken_one_never(
    tmp_path: Path, certificate: Certificate
) -> None:
    (tmp_path / "new").mkdir()
    newer = Certificate(tmp_path / "new", "localhost", "127.0.0.1")
    async with secure(tmp_path, certificate) as live:
        watch = live.server._listeners.certificate
        assert watch is not None
        player = await live.connect("ada")
        assert await shown(live) == certificate.der

        with capture_logs() as entries:
            secret = certificate.pem.read_text().split("-----")[2].split()[1]
            certificate.pem.write_text(newer.pem.read_text().partition("-----BEGIN CERT")[0])
            await watch.look()
            assert await shown(live) == certificate.der
            shutil.copy(newer.pem, certificate.pem)
            await watch.look()
            assert await shown(live) == newer.der

        assert await player.heard_until_pong("1") == []
        await player.hang_up()
    told = [entry["event"] for entry in entries if entry["event"].startswith("tls_")]
    assert told == ["tls_certificate_not_loaded", "tls_certificate_loaded"]
    assert secret not in str(entries)


# ---- as an operator runs it


def test_a_server_with_tls_stops_although_its_clients_do_not_care(
    tmp_path: Path, certificate: Certificate
) -> None:
    files = dict.fromkeys(("LOCKGATE_LISTEN__TLS_CERT", "LOCKGATE_LISTEN__TLS_KEY"), str(certificate.pem))
    with running_server(tmp_path, environment=files) as server:
        plain = [socket.create_connection((server.host, server.port)) for _ in range(3)]
        secure = [
            certificate.trusting.wrap_socket(
                socket.create_connection((server.host, server.port)), server_hostname="localhost"
            )
            for _ in range(3)
        ]
        secure[0].sendall(upgrade_request("/ws?token=wrong"))
        assert secure[0].recv(12) == b"HTTP/1.1 401"
        secure[1].sendall(b"GET / HTTP/1.1\r\n")
        secure[2].settimeout(1)
        with contextlib.suppress(TimeoutError):  # asks until it is no longer read, and reads nothing itself
            for _ in range(1000):
                secure[2].sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 100)

    for client in (*plain, *secure):
        client.close()
    assert f"https://{server.public}/v2" in server.output
    assert f"wss://{server.public}/ws" in server.output
    assert "PRIVATE KEY" not in server.output


@pytest.mark.parametrize("broken", ["", "no PEM at all"])
def test_a_server_does_not_start_with_a_certificate_that_cannot_be_used(tmp_path: Path, broken: str) -> None:
    pem = tmp_path / "broken.pem"
    if broken:
        pem.write_text(broken)
    files = dict.fromkeys(("LOCKGATE_LISTEN__TLS_CERT", "LOCKGATE_LISTEN__TLS_KEY"), str(pem))

    with pytest.raises(AssertionError, match="cannot start: "), running_server(tmp_path, environment=files):
        pass
