"""What all listeners share: the sweep, its clock, and the log."""

from typing import Any

from structlog.testing import capture_logs

from server.config import AdmissionSettings
from server.web.address import ClientAddresses
from server.web.entrance import Entrance
from tests.support.clock import ManualClock
from tests.support.door import FakePeer
from tests.support.inprocess import until
from tests.support.transport import RecordingTransport


class From(RecordingTransport):
    """A transport whose peer has this address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._address, 50_000) if name == "peername" else default


def entrance(clock: ManualClock, *, trusted: tuple[str, ...] = (), **settings: Any) -> Entrance:
    return Entrance(AdmissionSettings(**settings), ClientAddresses(trusted), clock)


def swept(some: Entrance, clock: ManualClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1)
        some.sweep()


def test_a_socket_holds_its_place_until_it_says_that_it_is_gone() -> None:
    some = entrance(ManualClock(), sockets_per_address=1)

    assert some.judge("192.0.2.1") == 0
    leave = some.enter("192.0.2.1")
    assert some.judge("192.0.2.1") > 0
    leave()

    assert some.judge("192.0.2.1") == 0


def test_the_addresses_of_one_network_are_one() -> None:
    some = entrance(ManualClock(), sockets_per_address=1, connections_per_address=1)

    some.enter("2001:db8:0:1::1")
    some.arrive(FakePeer(), From("2001:db8:0:1::1"))

    assert some.judge("2001:db8:0:1:ffff::2") > 0
    assert some.judge("2001:db8:0:2::1") == 0
    assert isinstance(some.arrive(FakePeer(), From("2001:db8:0:1:ffff::2")), int)
    assert not isinstance(some.arrive(FakePeer(), From("2001:db8:0:2::1")), int)


def test_connections_of_a_proxy_that_is_believed_are_not_counted_as_one_address() -> None:
    some = entrance(ManualClock(), trusted=("10.0.0.0/8",), connections_per_address=1)

    places = [some.arrive(FakePeer(), From("10.1.2.3")) for _ in range(9)]

    assert not any(isinstance(place, int) for place in places)
    some.arrive(FakePeer(), From("192.0.2.1"))
    assert isinstance(some.arrive(FakePeer(), From("192.0.2.1")), int)


def test_a_stall_of_our_own_does_not_count_against_a_peer() -> None:
    clock = ManualClock()
    some = entrance(clock)
    peer = FakePeer()
    some.arrive(peer, From("192.0.2.1"))
    swept(some, clock, 3)

    clock.advance(3600)
    some.sweep()
    assert peer.done == []
    swept(some, clock, 4)
    assert peer.done == []
    swept(some, clock, 1)

    assert peer.done == ["closed"]


def test_a_flood_is_told_once_in_its_time_with_its_reason_and_its_address() -> None:
    clock = ManualClock()
    some = entrance(clock, sockets_per_address=1)
    some.enter("192.0.2.1")

    with capture_logs() as logs:
        for _ in range(25):
            for _ in range(100):
                some.judge("192.0.2.1")
            swept(some, clock, 1)

    assert [entry["event"] for entry in logs] == ["admission_refused"] * 3
    assert logs[0] == {
        "event": "admission_refused",
        "log_level": "warning",
        "reason": "sockets_per_address",
        "address": "192.0.2.1",
        "refused": 100,
        "of_reason": 100,
    }
    assert [entry["refused"] for entry in logs] == [100, 1000, 1000]


async def test_the_sweep_goes_on_until_it_is_stopped() -> None:
    clock = ManualClock()
    some = entrance(clock, head_timeout_s=0.01)
    peer = FakePeer()
    some.start()
    some.arrive(peer, From("192.0.2.1"))
    clock.advance(0.004)

    def let_pass() -> bool:
        clock.advance(0.0001)
        return bool(peer.done)

    await until(let_pass)

    late = FakePeer()
    some.arrive(late, From("192.0.2.1"))
    some.stop()
    assert late.done == ["aborted"]
    assert some._timer is not None
    assert some._timer.cancelled()
