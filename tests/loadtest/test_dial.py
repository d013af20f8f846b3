"""The way to the server is found once; who is not let in leaves nothing behind."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from random import Random

import pytest

from loadtest.dial import Address, Dialer, reach
from loadtest.failures import Refused, SwarmError
from loadtest.plan import Plan
from loadtest.shortages import Shortages
from loadtest.socket import Listener
from loadtest.timings import Timings
from tests.support.swarm import FaultySite, serving
from tests.support.swarm_runs import free_port


@pytest.fixture
def listening() -> socket.socket:
    """On the loopback address of IPv4 alone."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_address_is_one_that_answers(listening: socket.socket, host: str) -> None:
    with listening:
        port = listening.getsockname()[1]

        assert await reach(f"http://{host}:{port}/") == (socket.AF_INET, ("127.0.0.1", port))


async def test_of_a_names_addresses_the_first_that_answers_is_taken(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def both(*_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", silent)),
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", listening.getsockname()),
        ]

    silent = free_port()
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with listening:
        assert await reach("http://game.example") == (socket.AF_INET, listening.getsockname())


async def test_nobody_there_is_told_without_what_is_secret_in_the_url() -> None:
    port = free_port()

    with pytest.raises(SwarmError) as raised:
        await reach(f"http://user:secret@127.0.0.1:{port}")

    assert str(raised.value) == f"no server answers at 127.0.0.1, port {port}: ConnectionRefusedError"


async def test_a_name_with_an_empty_label_is_told() -> None:
    with pytest.raises(SwarmError, match="name is none"):
        await reach("http://a..b:7350")


def dialer(
    url: str, shortages: Shortages | None = None, sources: Sequence[str] = ()
) -> tuple[Dialer, Address]:
    port = int(url.rpartition(":")[2])
    address: Address = (socket.AF_INET, ("127.0.0.1", port))
    plan = Plan(url=url, sources=list(sources))
    return Dialer(plan, address, Timings(), Random(1), shortages or Shortages()), address


async def test_a_socket_is_counted_while_it_is_open() -> None:
    async with serving(FaultySite()) as url:
        made, _ = dialer(url)
        opened = await made.dial(Listener(), "token", 0)
        assert made.connected == 1

        opened.leave()
        await opened.closed

        assert made.connected == 0


async def test_nobody_there_is_told_without_the_token() -> None:
    made, _ = dialer(f"http://127.0.0.1:{free_port()}")

    with pytest.raises(SwarmError, match="ConnectionRefusedError") as caught:
        await made.dial(Listener(), "secret", 0)

    assert "secret" not in str(caught.value)
    assert made.connected == 0


async def test_a_refusal_is_told_by_its_status() -> None:
    async with serving(FaultySite(refuse="ws")) as url:
        made, _ = dialer(url)

        with pytest.raises(Refused) as caught:
            await made.dial(Listener(), "token", 0)

    assert caught.value.status == 401


async def test_who_does_not_speak_tls_lets_nobody_in() -> None:
    async with serving(FaultySite()) as url:
        made, _ = dialer(url.replace("http:", "https:"))

        with pytest.raises(SwarmError, match="lets no socket in"):
            await made.dial(Listener(), "token", 0)

    assert made.connected == 0


async def test_nothing_stays_of_who_is_cancelled_half_way() -> None:
    come, gone = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        come.set()
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    made, _ = dialer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    async with asyncio.TaskGroup() as tasks, server:
        dialling = tasks.create_task(made.dial(Listener(), "token", 0))
        await come.wait()
        dialling.cancel()
        async with asyncio.timeout(5):
            await gone.wait()

    assert made.connected == 0


async def test_players_connect_from_the_sources_in_turn() -> None:
    seen: list[str] = []

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(look, "127.0.0.1", 0)
    made, _ = dialer(
        f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", sources=["127.0.0.2", "127.0.0.3"]
    )
    async with server:
        for _ in range(3):
            with pytest.raises(SwarmError):
                await made.dial(Listener(), "token", 0)

    assert seen == ["127.0.0.2", "127.0.0.3", "127.0.0.2"]


@pytest.mark.parametrize("source", ["192.0.2.1", "::1", "nowhere.invalid"])
def test_a_source_that_is_none_of_this_machines_addresses_is_told(source: str) -> None:
    with pytest.raises(SwarmError, match=f"nobody can connect from {source} here"):
        dialer("http://127.0.0.1:7350", sources=[source])


async def test_no_port_left_is_not_laid_upon_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none_left(_end: socket.socket, _address: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    shortages = Shortages()
    made, _ = dialer("http://127.0.0.1:7350", shortages)
    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", none_left)

    with pytest.raises(SwarmError, match="the swarm's machine has no ports left for a socket"):
        await made.dial(Listener(), "token", 0)

    assert shortages.take() == {"ports": 1}


async def test_no_file_left_is_not_laid_upon_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    shortages = Shortages()
    made, _ = dialer("http://127.0.0.1:7350", shortages)
    monkeypatch.setattr("loadtest.dial.socket.socket", none_left)

    with pytest.raises(SwarmError, match="the swarm's machine has no files left for a socket"):
        await made.dial(Listener(), "token", 0)

    assert shortages.take() == {"files": 1}
