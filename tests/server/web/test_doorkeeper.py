"""Who is let in, and what those read who are not."""

import asyncio
from typing import Any

from server.web.connections import Connection
from server.web.doorkeeper import MAX_UNREAD, REFUSED_BODY, Doorkeeper, refusal
from server.web.entrance import Entrance
from tests.server.web.test_entrance import From, entrance
from tests.support.clock import ManualClock
from tests.support.door import FakePeer


class Wire(From):
    """A transport that remembers to whom it belongs."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        super().__init__(address)
        self.protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


class Inside(FakePeer):
    """What is made for those who were let in."""

    def __init__(self) -> None:
        super().__init__()
        self.place: Connection | None = None
        self.transport: asyncio.BaseTransport | None = None

    def admitted(self, place: Connection) -> None:
        self.place = place

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert self.place is not None
        self.place.peer = self
        self.transport = transport


class House:
    """An entrance for so many, and those who came in."""

    def __init__(self, **settings: Any) -> None:
        self.clock = ManualClock()
        self.entrance: Entrance = entrance(self.clock, **settings)
        self.inside: list[Inside] = []

    def make(self) -> Inside:
        self.inside.append(Inside())
        return self.inside[-1]

    def come(self) -> tuple[Doorkeeper, Wire]:
        door, wire = Doorkeeper(self.entrance, self.make), Wire()
        door.connection_made(wire)
        return door, wire


def test_who_finds_room_is_handed_on_with_their_place() -> None:
    house = House()

    _, wire = house.come()

    (inside,) = house.inside
    assert wire.protocol is inside
    assert inside.transport is wire
    assert inside.place is not None
    assert inside.place.peer is inside
    assert wire.writes == []


def test_who_finds_none_reads_when_to_come_again_and_nothing_is_made_for_them() -> None:
    house = House(connections_total=1)
    house.come()

    _, wire = house.come()

    assert len(house.inside) == 1
    head, _, body = wire.written.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"HTTP/1.1 503 Service Unavailable"
    assert b"Retry-After: 3" in headers
    assert b"Connection: close" in headers
    assert b"Content-Length: %d" % len(body) in headers
    assert body == REFUSED_BODY
    assert wire.eof
    assert not wire.is_closing()


def test_what_the_refused_still_say_is_thrown_away_and_not_without_end() -> None:
    house = House(connections_total=1)
    house.come()
    door, wire = house.come()

    door.data_received(b"x" * MAX_UNREAD)
    assert not wire.is_closing()
    door.data_received(b"x")

    assert wire.aborted


def test_the_refused_who_do_not_go_are_dropped() -> None:
    house = House(connections_total=1)
    house.come()
    door, wire = house.come()
    assert house.entrance.connections.told == 1

    house.clock.advance(2)
    house.entrance.sweep()
    assert wire.aborted
    door.connection_lost(None)

    assert house.entrance.connections.told == 0
    door.abort()


def test_the_refused_who_go_are_forgotten() -> None:
    house = House(connections_total=1)
    house.come()
    door, _ = house.come()

    assert not door.eof_received()  # so that the transport closes
    door.connection_lost(ConnectionResetError())

    assert house.entrance.connections.told == 0
    assert door.is_closing()


def test_the_answer_holds_its_number() -> None:
    assert b"\r\nRetry-After: 17\r\n" in refusal(17)
