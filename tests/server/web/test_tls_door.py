"""A place before the handshake, which is lost with it; all of it together is in `e2e/test_tls.py`."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from server.tasks import TaskOwner
from server.web.certificate import Certificate
from server.web.entrance import Entrance
from server.web.tls_door import TlsDoor
from tests.server.web.test_doorkeeper import Inside
from tests.server.web.test_entrance import entrance
from tests.support import tls
from tests.support.clock import ManualClock
from tests.support.inprocess import until


class Connected(Inside, asyncio.Protocol):
    """What is made for those whose handshake was good."""


class House:
    """A door, those who came in, and the one who knocks."""

    def __init__(self, some: Entrance, door: TlsDoor, port: int, certificate: tls.Certificate) -> None:
        self.entrance = some
        self.door = door
        self.port = port
        self.certificate = certificate
        self.inside: list[Connected] = []

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def enter(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.certificate.trusting, server_hostname="localhost"
        )


@asynccontextmanager
async def house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    certificate = tls.Certificate(folder, "localhost")
    pem = str(certificate.pem)
    some = entrance(ManualClock(), **settings)

    def make() -> Connected:
        made.inside.append(Connected())
        return made.inside[-1]

    door = TlsDoor(some, make, Certificate.open(pem, pem, TaskOwner("certificate")), TaskOwner("tls"))
    _, port = (await door.listen("127.0.0.1", 0, 100))[:2]
    made = House(some, door, port, certificate)
    try:
        yield made
    finally:
        await door.close()
        some.stop()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_a_good_handshake_goes_on_with_its_place(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        _, writer = await here.enter()
        await until(lambda: bool(here.inside and here.inside[0].transport))

        assert len(here.entrance.connections) == 1
        assert here.inside[0].place is not None
        assert here.inside[0].place.peer is here.inside[0]
        here.inside[0].transport.abort()  # type: ignore[union-attr]  # a transport, as was waited for
        await hang_up(writer)


async def test_a_handshake_that_fails_or_is_broken_off_loses_its_place(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        _, rude = await here.knock()
        rude.write(b"GET / HTTP/1.1\r\n\r\n")
        _, gone = await here.knock()
        await until(lambda: here.entrance.refusals.counts["tls"] == 1)
        gone.transport.abort()
        await until(lambda: here.entrance.refusals.counts["tls"] == 2)

        await until(lambda: len(here.entrance.connections) == 0)
        await hang_up(rude)
        await hang_up(gone)


async def test_a_handshake_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        reader, writer = await here.knock()
        await until(lambda: len(here.entrance.connections) == 1)

        here.entrance.connections.sweep(here.entrance.now + 10)

        assert await reader.read() == b""
        await until(lambda: len(here.entrance.connections) == 0)
        assert here.entrance.refusals.counts["silent"] == 1
        await hang_up(writer)


async def test_who_makes_room_before_the_handshake_began_leaves_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        ours, theirs = socket.socketpair()
        here.door._take(ours, ("192.0.2.1", 50_000))

        here.entrance.connections.abort_all()  # in the same turn of the loop

        await until(lambda: len(here.entrance.connections) == 0)
        assert ours.fileno() == -1
        assert here.inside == []
        theirs.close()


async def test_who_finds_no_place_is_closed_before_anything_is_made(tmp_path: Path) -> None:
    async with house(tmp_path, connections_total=1) as here:
        _, first = await here.knock()
        await until(lambda: len(here.entrance.connections) == 1)
        reader, second = await here.knock()

        assert await reader.read() == b""
        assert here.entrance.refusals.counts["connections_total"] == 1
        await hang_up(first)
        await hang_up(second)
