"""Whoever sends very much at once waits until others have been heard."""

from protocol.close import CloseReason
from protocol.frames import FIN_CLOSE, FIN_PING, FIN_PONG, FIN_TEXT, build
from server.transport.websocket import FRAMES_PER_TURN
from tests.support.transport import Wire, masked


def test_after_so_many_frames_others_have_their_turn() -> None:
    wire = Wire()
    frames = [masked(FIN_TEXT, b"%d" % number) for number in range(2 * FRAMES_PER_TURN + 1)]

    wire.socket.data_received(b"".join(frames))
    assert len(wire.listener.messages) == FRAMES_PER_TURN
    assert not wire.transport.reading
    wire.socket.data_received(masked(FIN_TEXT, b"late"))  # the transport may hand out what it had read
    assert len(wire.listener.messages) == FRAMES_PER_TURN
    wire.turn()
    assert len(wire.listener.messages) == 2 * FRAMES_PER_TURN
    wire.turn()

    assert [payload for payload, _ in wire.listener.messages[-2:]] == [b"%d" % (2 * FRAMES_PER_TURN), b"late"]
    assert wire.transport.reading


def test_exactly_as_many_frames_as_a_turn_takes_wait_for_nothing() -> None:
    wire = Wire()

    wire.socket.data_received(masked(FIN_TEXT, b"x") * FRAMES_PER_TURN)

    assert len(wire.listener.messages) == FRAMES_PER_TURN
    assert wire.transport.reading
    assert wire.soon == []


def test_control_frames_count_too() -> None:
    wire = Wire()

    wire.socket.data_received(masked(FIN_PING, b"") * (FRAMES_PER_TURN + 10))
    wire.socket.flush()
    assert wire.transport.written == build(FIN_PONG, b"") * FRAMES_PER_TURN
    wire.turn()
    wire.turn()

    assert wire.transport.written == build(FIN_PONG, b"") * (FRAMES_PER_TURN + 10)


def test_who_waits_for_a_turn_and_is_held_goes_on_after_both() -> None:
    wire = Wire()
    wire.socket.data_received(masked(FIN_TEXT, b"x") * (FRAMES_PER_TURN + 1))

    wire.socket.hold()
    wire.turn()
    assert len(wire.listener.messages) == FRAMES_PER_TURN
    assert not wire.transport.reading
    wire.socket.release()

    assert len(wire.listener.messages) == FRAMES_PER_TURN + 1
    assert wire.transport.reading


def test_a_connection_that_was_lost_needs_no_turn() -> None:
    wire = Wire()
    wire.socket.data_received(masked(FIN_TEXT, b"x") * (FRAMES_PER_TURN + 1))

    wire.socket.connection_lost(None)
    wire.turn()

    assert len(wire.listener.messages) == FRAMES_PER_TURN


def test_a_flood_behind_a_close_is_passed_over_turn_by_turn() -> None:
    wire = Wire()
    wire.socket.close(CloseReason.MALFORMED)
    flood = masked(FIN_TEXT, b"x" * 94) * 1000 + masked(FIN_CLOSE, b"\x03\xe8")

    wire.socket.data_received(flood)
    turns = 0
    while wire.soon and not wire.transport.closed:
        wire.turn()
        turns += 1

    assert turns == 1000 // FRAMES_PER_TURN
    assert wire.transport.closed
    assert wire.listener.messages == []
