"""The sweep, on a clock that the tests turn."""

from server.transport.keepalive import Keepalive


class Peer:
    def __init__(self) -> None:
        self.heard = False
        self.seen_at = 0.0
        self.ping_at = 0.0
        self.closing_at: float | None = None
        self.log: list[str] = []

    def ping(self) -> None:
        self.log.append("ping")

    def give_up(self) -> None:
        self.log.append("give_up")
        self.closing_at = self.seen_at

    def abort(self) -> None:
        self.log.append("abort")


def sweeps() -> Keepalive:
    return Keepalive(interval_s=1, ping_interval_s=15, pong_timeout_s=25, close_timeout_s=2)


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
