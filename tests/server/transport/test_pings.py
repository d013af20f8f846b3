"""What the answers to one socket's pings tell."""

from server.transport.pings import Pings
from server.transport.round_trips import RoundTrips
from tests.support.clock import ManualClock


def made() -> tuple[Pings, RoundTrips]:
    return Pings(), RoundTrips(ManualClock().monotonic, lambda: True)


def test_an_answer_confirms_what_was_written_before_its_ping_and_no_more() -> None:
    pings, trips = made()
    ping = trips.ping()

    assert not pings.unconfirmed(0)
    assert pings.unconfirmed(1)
    assert pings.ask(ping, 5, reading=True) == ping.frame
    assert pings.unconfirmed(6)
    pings.answered(ping.tag, trips)

    assert not pings.unconfirmed(6)  # five messages and the ping
    assert pings.unconfirmed(7)


def test_a_ping_that_is_repeated_confirms_what_was_written_before_the_first() -> None:
    pings, trips = made()
    first = trips.ping()
    pings.ask(first, 5, reading=True)

    assert pings.ask(trips.ping(), 9, reading=True) == first.frame
    pings.answered(first.tag, trips)

    assert pings.unconfirmed(7)


def test_a_pong_that_nobody_asked_for_confirms_nothing() -> None:
    pings, trips = made()
    pings.ask(trips.ping(), 5, reading=True)

    pings.answered(b"", trips)

    assert pings.unconfirmed(1)
