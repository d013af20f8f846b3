"""A connection that its listener goes on without."""

from protocol.close import CloseReason
from protocol.frames import FIN_TEXT
from server.transport.abandoned import LastFrames, Nobody
from server.transport.ports import Listener, Outgoing
from tests.server.transport.test_ports import members
from tests.support.transport import Wire, masked


def test_it_is_closed_and_nobody_is_told_anything() -> None:
    wire = Wire()
    wire.outbox.put(b"for the next socket")

    wire.socket.abandon()
    wire.feed(masked(FIN_TEXT, b"late"))
    wire.turn()
    wire.socket.connection_lost(None)

    assert wire.transport.written[2:] == b"\x03\xe8" + CloseReason.DISCONNECTED.text.encode()
    assert (wire.listener.messages, wire.listener.closes, wire.listener.losses) == ([], [], 0)
    assert wire.outbox.take() == [b"for the next socket"]
    assert len(wire.keepalive) == 0


def test_its_close_is_not_waited_for_without_end() -> None:
    wire = Wire()
    wire.sweep()

    wire.socket.abandon()
    wire.sweep(2)

    assert wire.transport.aborted


def test_one_that_reads_nothing_is_dropped_at_once() -> None:
    wire = Wire()
    wire.socket.pause_writing()

    wire.socket.abandon()

    assert wire.transport.aborted


def test_nobody_listens_as_others_do() -> None:
    assert members(Listener) <= set(dir(Nobody))
    assert members(Outgoing) <= set(dir(LastFrames()))
