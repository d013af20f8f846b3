"""Pings told apart, and whose time their answers took: alone, and on a connection."""

import gc

import pytest
from websockets.protocol import Protocol

from protocol.frames import FIN_PING, FIN_PONG, build
from server.transport.round_trips import TAG_BYTES, RoundTrips
from tests.support.clock import ManualClock
from tests.support.transport import Wire, masked

TEXT_START, FIN_CONTINUATION = 0x01, 0x80


def test_a_ping_is_a_whole_frame_that_no_other_ping_is_like() -> None:
    trips = RoundTrips(ManualClock().monotonic, lambda: True)

    pings = [trips.ping() for _ in range(1000)]

    assert len({ping.tag for ping in pings}) == 1000
    assert all(ping.frame == build(FIN_PING, ping.tag) for ping in pings)
    assert {len(ping.tag) for ping in pings} == {TAG_BYTES}


def test_an_answer_is_counted_with_the_time_since_its_ping() -> None:
    clock = ManualClock()
    trips = RoundTrips(clock.monotonic, lambda: True)
    ping = trips.ping()

    clock.advance(0.08)
    took = trips.answered(ping, read_at_once=True)

    assert took is not None
    assert abs(took - 0.08) < 1e-6
    assert dict(trips.times.cumulative())["0.1"] == 1
    assert dict(trips.times.cumulative())["0.05"] == 0


def test_an_answer_that_may_have_waited_for_us_is_left_out_and_counted_as_such() -> None:
    clock = ManualClock()
    late = RoundTrips(clock.monotonic, lambda: False)
    on_time = RoundTrips(clock.monotonic, lambda: True)

    assert late.answered(late.ping(), read_at_once=True) is None
    assert on_time.answered(on_time.ping(), read_at_once=False) is None

    assert (late.left_out, late.times.count) == (1, 0)
    assert (on_time.left_out, on_time.times.count) == (1, 0)


def test_the_count_of_pings_may_run_over() -> None:
    trips = RoundTrips(ManualClock().monotonic, lambda: True)
    trips._made = (1 << 8 * TAG_BYTES) - 2

    assert [trips.ping().tag for _ in range(2)] == [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"]


# ---- on a connection


def tag_of(wire: Wire) -> bytes:
    """The payload of the last ping that went out."""
    frame = wire.transport.writes[-1]
    assert frame[0] == FIN_PING
    return frame[2:]


def test_the_answer_to_our_ping_is_measured() -> None:
    wire = Wire()
    wire.sweep(15)

    wire.clock.advance(0.12)
    wire.feed(masked(FIN_PONG, tag_of(wire)))

    assert wire.round_trips.times.count == 1
    assert wire.socket.pings.rtt_s is not None
    assert abs(wire.socket.pings.rtt_s - 0.12) < 1e-6
    assert not wire.socket.unconfirmed


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\x00\x00\x00", b"p" * 125])
def test_a_pong_that_nobody_asked_for_is_not_measured(payload: bytes) -> None:
    wire = Wire()

    wire.feed(masked(FIN_PONG, payload))
    wire.sweep(15)
    wire.feed(masked(FIN_PONG, payload), masked(FIN_PONG, tag_of(wire) + b"!"))

    assert wire.round_trips.times.count == 0
    assert wire.socket.unconfirmed


def test_an_answer_that_comes_twice_counts_once() -> None:
    wire = Wire()
    wire.sweep(15)

    wire.feed(masked(FIN_PONG, tag_of(wire)) * 3)

    assert wire.round_trips.times.count == 1


def test_a_round_trip_may_take_longer_than_the_time_between_pings() -> None:
    wire = Wire()
    wire.sweep(15)
    first = tag_of(wire)

    for _ in range(15):
        wire.socket.heard = True
        wire.sweep()
    assert tag_of(wire) == first
    wire.feed(masked(FIN_PONG, first))

    assert wire.socket.pings.rtt_s == 15.0
    for _ in range(15):
        wire.feed(masked(FIN_PONG, first))  # of the second time
        wire.sweep()
    assert wire.round_trips.times.count == 1
    assert tag_of(wire) != first


def test_a_pong_between_the_fragments_of_a_message_counts() -> None:
    wire = Wire()
    wire.sweep(15)

    wire.feed(masked(TEXT_START, b"a") + masked(FIN_PONG, tag_of(wire)) + masked(FIN_CONTINUATION, b"b"))

    assert wire.round_trips.times.count == 1
    assert wire.listener.messages == [(b"ab", False)]


def test_an_answer_that_waited_while_our_loop_stood_still_proves_life_but_not_time() -> None:
    wire = Wire()
    wire.sweep(15)

    wire.clock.advance(3)
    wire.on_time = False
    wire.feed(masked(FIN_PONG, tag_of(wire)))

    assert wire.round_trips.times.count == 0
    assert wire.round_trips.left_out == 1
    assert wire.socket.pings.rtt_s is None
    assert not wire.socket.unconfirmed


@pytest.mark.parametrize("held_first", [False, True])
def test_an_answer_that_waited_while_we_did_not_read_is_not_measured(held_first: bool) -> None:
    wire = Wire()
    if held_first:
        wire.socket.hold()
    wire.sweep(15)
    if not held_first:
        wire.socket.hold()

    wire.clock.advance(2)
    wire.feed(masked(FIN_PONG, tag_of(wire)))
    wire.socket.release()

    assert wire.round_trips.times.count == 0
    assert not wire.socket.unconfirmed
    wire.sweep(15)
    wire.feed(masked(FIN_PONG, tag_of(wire)))
    assert wire.round_trips.times.count == 1


def test_pings_and_pongs_leave_no_library_object_behind() -> None:
    wire = Wire()
    wire.sweep(15)

    wire.feed(masked(FIN_PONG, tag_of(wire)), masked(FIN_PING, b"you?"), masked(FIN_PONG, b"hello"))

    assert not any(isinstance(each, Protocol) for each in gc.get_referents(wire.socket))
    assert wire.transport.writes[-1] == build(FIN_PONG, b"you?")
