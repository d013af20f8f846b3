"""What all sockets share."""

import pytest

from protocol.envelope import Format
from server.identity.tokens import SessionClaims
from server.sections import SocketSettings
from server.sessions.session import Session
from server.transport.round_trips import RoundTrips
from server.web.sockets import Sockets, Terms
from tests.server.sessions.test_session import Owner
from tests.support.clock import ManualClock
from tests.support.players import ALICE
from tests.support.transport import RecordingTransport

CLAIMS = SessionClaims(
    user_id=ALICE.user_id,
    username="alice",
    family_id="family",
    issued_at=0,
    expires_at=7200,
    vars={"a": "b"},
)


def sockets(clock: ManualClock, **settings: float) -> Sockets:
    round_trips = RoundTrips(clock.monotonic, lambda: True)
    return Sockets(SocketSettings(**settings), clock, round_trips)  # type: ignore[arg-type]  # ints and floats by name


@pytest.mark.parametrize(("shortest_s", "interval_s"), [(2.0, 0.5), (0.4, 0.1), (60.0, 1.0)])
def test_the_sweep_is_as_frequent_as_the_shortest_time_needs(shortest_s: float, interval_s: float) -> None:
    found = sockets(ManualClock(), close_timeout_s=shortest_s, ping_interval_s=60.0, pong_timeout_s=90.0)

    assert found.interval_s == pytest.approx(interval_s)


async def test_a_session_is_made_with_what_was_configured() -> None:
    clock = ManualClock()
    found = sockets(clock, outgoing_limit_bytes=16_384, messages_per_s=1, messages_burst=2)

    session, socket = found.make(
        Owner(), ALICE, Terms(CLAIMS, Format.PROTOBUF, address="192.0.2.1", lang="de")
    )

    assert (session.presence, session.family_id, session.form) == (ALICE, "family", Format.PROTOBUF)
    assert (session.opened_at, session.token_exp) == (clock.monotonic(), 7200)
    assert (session.session_vars, session.address, session.lang) == ({"a": "b"}, "192.0.2.1", "de")
    assert session.socket is socket
    assert session.allowance.messages == 2


async def test_one_sweep_finds_silent_peers_and_slow_ones() -> None:
    clock = ManualClock()
    found = sockets(clock, outgoing_age_s=10.0)
    sessions: list[Session] = []
    for _ in range(2):
        session, socket = found.make(Owner(), ALICE, Terms(CLAIMS, Format.JSON))
        socket.connection_made(RecordingTransport())
        found.keepalive.add(socket, 0.0)
        sessions.append(session)
    sessions[1].socket.pause_writing()  # type: ignore[attr-defined]  # the transport calls it
    for _ in range(30):
        clock.advance(1.0)
        found.sweep()

    assert sessions[0].close_text == "pong timeout"
    assert sessions[1].close_text == "session outgoing queue full"
