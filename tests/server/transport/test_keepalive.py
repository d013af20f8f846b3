"""The sweep, on a clock that the tests turn."""

import pytest

from server.sections import SocketSettings
from server.transport.keepalive import Keepalive
from server.transport.round_trips import Ping, RoundTrips
from tests.support.clock import ManualClock


class Peer:
    def __init__(self) -> None:
        self.pings: list[Ping] = []
        self.heard = False
        self.seen_at = 0.0
        self.ping_at = 0.0
        self.closing_at: float | None = None
        self.log: list[str] = []

    def ping(self, ping: Ping) -> None:
        self.log.append("ping")
        self.pings.append(ping)

    def give_up(self) -> None:
        self.log.append("give_up")
        self.closing_at = self.seen_at

    def abort(self) -> None:
        self.log.append("abort")


def sweeps() -> Keepalive:
    trips = RoundTrips(ManualClock().monotonic, lambda: True)
    return Keepalive(trips, interval_s=1, ping_interval_s=15, pong_timeout_s=25, close_timeout_s=2)


def watch(jitter: float = 0.0) -> tuple[Keepalive, Peer]:
    keepalive, peer = sweeps(), Peer()
    keepalive.add(peer, jitter)
    keepalive.sweep(100.0)
    return keepalive, peer


def test_a_peer_is_pinged_each_interval_whatever_it_sends() -> None:
    keepalive, peer = watch()

    for second in range(1, 46):
        peer.heard = True
        keepalive.sweep(100.0 + second)

    assert peer.log == ["ping"] * 3


def test_jitter_brings_the_first_ping_forward_by_half_an_interval_at_most() -> None:
    keepalive, peer = watch(jitter=0.999)

    for second in range(1, 8):
        keepalive.sweep(100.0 + second)

    assert peer.log == ["ping"]


def test_any_received_bytes_move_the_deadline() -> None:
    keepalive, peer = watch()

    for second in range(1, 49):
        peer.heard = second == 24
        keepalive.sweep(100.0 + second)

    assert "give_up" not in peer.log


def test_a_silent_peer_is_given_up_at_the_deadline_and_aborted_after_the_close_timeout() -> None:
    keepalive, peer = watch()

    for second in range(1, 25):
        keepalive.sweep(100.0 + second)
    assert peer.log == ["ping", "give_up"]
    peer.closing_at = keepalive.now
    keepalive.sweep(125.0)
    assert "abort" not in peer.log
    keepalive.sweep(126.0)

    assert peer.log[-1] == "abort"


def test_a_stall_of_our_own_loop_is_not_held_against_the_peer() -> None:
    keepalive, peer = watch()

    keepalive.sweep(101.0)
    keepalive.sweep(161.0)

    assert peer.log == []
    assert keepalive.shifted_s == 58.0


def test_a_peer_that_is_gone_is_no_longer_looked_at() -> None:
    keepalive, peer = watch()

    keepalive.remove(peer)
    for second in range(1, 60):
        keepalive.sweep(100.0 + second)

    assert peer.log == []
    assert len(keepalive) == 0


@pytest.mark.parametrize("last_heard", [0.0, 0.3, 0.99])
def test_a_half_open_peer_is_found_after_the_timeout_and_before_one_more_sweep(last_heard: float) -> None:
    keepalive, peer = watch()
    second = 0

    peer.heard = True  # at 100 + last_heard, of which the next sweep learns
    while "give_up" not in peer.log:
        second += 1
        keepalive.sweep(100.0 + second)

    silent_s = second - last_heard
    assert 25 <= silent_s <= 25 + keepalive.interval_s


@pytest.mark.parametrize("stall_s", [3, 30, 3600])
def test_after_a_stall_a_peer_has_all_the_time_that_it_had_left(stall_s: float) -> None:
    keepalive, peer = watch()
    for second in range(1, 21):
        keepalive.sweep(100.0 + second)

    keepalive.sweep(120.0 + stall_s)  # twice an interval of it counts
    keepalive.sweep(121.0 + stall_s)
    assert "give_up" not in peer.log
    keepalive.sweep(122.0 + stall_s)

    assert peer.log[-1] == "give_up"


def test_the_pings_of_many_who_came_at_once_are_spread_over_the_sweeps() -> None:
    keepalive = sweeps()
    peers = [Peer() for _ in range(1500)]
    for number, peer in enumerate(peers):
        keepalive.add(peer, jitter=number / len(peers))

    at_once = []
    for second in range(120):
        before = sum(len(peer.log) for peer in peers)
        for peer in peers:
            peer.heard = True
        keepalive.sweep(100.0 + second)
        at_once.append(sum(len(peer.log) for peer in peers) - before)

    # Half of an interval has them all, in the first round and in every later one.
    assert max(at_once) <= 1500 / 7.5 + 1
    assert {len(peer.log) for peer in peers} <= {7, 8}


def test_who_is_asked_in_one_sweep_is_asked_the_same_and_in_another_something_else() -> None:
    keepalive, first = watch()
    second = Peer()
    keepalive.add(second, 0.0)  # a sweep later than the first
    third = Peer()
    keepalive.add(third, 0.0)

    for at in range(1, 31):
        first.heard = second.heard = third.heard = True
        keepalive.sweep(100.0 + at)

    assert [ping.tag for ping in second.pings] == [ping.tag for ping in third.pings]
    assert first.pings[0].tag not in {second.pings[0].tag, first.pings[1].tag}


def test_sweeps_are_closer_together_when_the_timeouts_are_short() -> None:
    trips = RoundTrips(ManualClock().monotonic, lambda: True)

    short = Keepalive.configured(SocketSettings(ping_interval_s=0.4, pong_timeout_s=0.8), trips)

    assert short.interval_s == 0.1
    assert Keepalive.configured(SocketSettings(), trips).interval_s == 0.5


def test_whoever_is_removed_is_told_of_once() -> None:
    keepalive, peer, told = sweeps(), Peer(), list[str]()
    keepalive.add(peer, 0.0, lambda: told.append("removed"))

    keepalive.remove(peer)
    keepalive.remove(peer)

    assert told == ["removed"]
    assert len(keepalive) == 0
