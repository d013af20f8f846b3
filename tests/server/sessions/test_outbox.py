"""Frames that wait, at the edge of their bounds."""

from protocol.envelope import Envelope, Format, frame
from protocol.messages import MatchData, MatchPresenceEvent, Pong
from server.sessions import outbox as module
from server.sessions.outbox import Outbox
from server.sessions.slow_receivers import Overflow, SlowReceivers
from tests.support.players import ALICE, BOB

SHOT = MatchData(match_id="game", data=b"shot")
WHOLE = frame(Envelope(SHOT), Format.JSON)


class Peer:
    """A socket whose network takes `takes` bytes, until `read` makes room for more."""

    def __init__(
        self,
        limit_bytes: int = 1000,
        takes: int = 1 << 30,
        slow: SlowReceivers | None = None,
        name: str = "session",
    ) -> None:
        self.slow = SlowReceivers(max_age_s=10, max_bytes=1 << 20) if slow is None else slow
        self.outbox = Outbox(name, Format.JSON, limit_bytes, self.slow)
        self.outbox.attach(self, self.full)
        self.overflows: list[Overflow] = []
        self.wakes = 0
        self.closes = True
        self.writes: list[bytes] = []
        self.buffered = 0
        self._takes = takes
        self._paused = False

    def wake(self) -> None:
        self.wakes += 1

    def full(self, cause: Overflow) -> bool:
        self.overflows.append(cause)
        self.outbox.discard()
        return self.closes

    def flush(self) -> None:
        while not self._paused:
            whole = b"".join(self.outbox.take())
            self.writes.append(whole)
            self.buffered += len(whole)
            self._drain()
            if self.buffered:
                self._paused = True
                self.outbox.stall()
            if not self.outbox.queued:
                return

    def read(self, takes: int) -> None:
        self._takes = takes
        self._drain()
        if self._paused and not self.buffered:
            self._paused = False
            self.flush()
            if not self._paused:
                self.outbox.catch_up()

    def _drain(self) -> None:
        taken = min(self._takes, self.buffered)
        self._takes -= taken
        self.buffered -= taken


def behind(limit_bytes: int = 1000, slow: SlowReceivers | None = None, name: str = "session") -> Peer:
    """A peer that has left 100 bytes in the transport."""
    peer = Peer(limit_bytes, takes=0, slow=slow, name=name)
    peer.outbox.put(b"x" * 100)
    peer.flush()
    assert peer.outbox.unsent == 100
    peer.writes.clear()
    return peer


def test_only_the_first_frame_wakes_the_writer() -> None:
    peer = Peer()

    peer.outbox.put(b"a")
    peer.outbox.put(b"b")

    assert peer.wakes == 1
    assert peer.outbox.take() == [b"a", b"b"]
    assert peer.outbox.queued == 0


def test_a_burst_over_the_limit_is_written_at_once_and_costs_nothing() -> None:
    peer = Peer(limit_bytes=10)

    peer.outbox.put(b"x" * 10)
    assert peer.writes == []
    peer.outbox.put(b"x")

    assert peer.writes == [b"x" * 11]
    assert (peer.overflows, peer.outbox.unsent, len(peer.slow)) == ([], 0, 0)


def test_the_limit_may_be_reached_but_not_passed_with_what_the_transport_holds() -> None:
    peer = behind(limit_bytes=200)

    peer.outbox.put(b"x" * 100)
    assert peer.overflows == []
    peer.outbox.put(b"x")

    assert peer.overflows == [Overflow.BYTES]
    assert peer.slow.closed == {"bytes": 1}
    assert peer.outbox.queued == 0


def test_a_burst_that_the_network_does_not_take_is_too_much() -> None:
    peer = Peer(limit_bytes=100, takes=50)

    peer.outbox.put(b"x" * 150)
    assert peer.overflows == []
    peer.outbox.put(b"x")

    assert peer.overflows == [Overflow.BYTES]


def test_over_the_limit_unreliable_data_is_dropped_before_anything_else_happens() -> None:
    peer = behind(limit_bytes=100 + 3 * len(WHOLE))

    for _ in range(10):
        peer.outbox.put(WHOLE, SHOT)

    assert peer.overflows == []
    assert peer.outbox.unsent == 100 + 3 * len(WHOLE)
    assert peer.slow.counts.dropped == {"match_data": 7}
    peer.read(1 << 20)
    assert peer.writes == [WHOLE * 3]


def test_within_the_limit_nothing_is_dropped() -> None:
    peer = behind()

    for _ in range(5):
        peer.outbox.put(WHOLE, SHOT)
    peer.read(1 << 20)

    assert peer.writes == [WHOLE * 5]
    assert not peer.slow.counts.dropped


def test_presence_is_merged_and_never_dropped() -> None:
    peer = behind(limit_bytes=600)
    for joins, leaves in [((ALICE,), ()), ((), (ALICE,))] * 100 + [((BOB,), ())]:
        event = MatchPresenceEvent(match_id="game", joins=joins, leaves=leaves)
        peer.outbox.put(frame(Envelope(event), Format.JSON), event)
    peer.read(1 << 20)

    assert peer.overflows == []
    assert peer.writes == [frame(Envelope(MatchPresenceEvent(match_id="game", joins=(BOB,))), Format.JSON)]


def test_when_the_peer_reads_again_it_is_given_so_much_at_a_time() -> None:
    peer = behind(limit_bytes=1 << 20)
    for _ in range(3):
        peer.outbox.put(b"x" * (module.CHUNK - 10))

    peer.read(100)
    assert list(map(len, peer.writes)) == [module.CHUNK - 10]
    assert peer.outbox.queued == 2 * (module.CHUNK - 10)
    peer.outbox.put(b"last")
    peer.read(1 << 20)

    assert b"".join(peer.writes).endswith(b"xlast")
    assert (peer.outbox.unsent, len(peer.slow), peer.slow.bytes) == (0, 0, 0)


def test_once_the_peer_has_caught_up_frames_leave_as_before() -> None:
    peer = behind()
    peer.read(1 << 20)

    peer.outbox.put(b"a")

    assert peer.wakes == 2
    assert peer.outbox.take() == [b"a"]


def test_frames_of_the_turn_in_which_the_peer_fell_behind_keep_their_place() -> None:
    peer = Peer()
    peer.outbox.put(b"a")
    peer.outbox.stall()
    peer.outbox.put(b"b")

    assert peer.outbox.take() == [b"a", b"b"]


def test_a_socket_is_closed_when_its_oldest_byte_is_too_old() -> None:
    peer = behind()
    peer.slow.sweep(9.9)
    assert peer.overflows == []
    peer.slow.sweep(10.0)

    assert peer.overflows == [Overflow.AGE]


def test_a_peer_that_reads_slowly_but_in_time_is_not_too_old() -> None:
    peer = behind(limit_bytes=1 << 20)
    for second in range(40):
        peer.slow.sweep(float(second))
        peer.outbox.put(b"x" * module.CHUNK)
        peer.read(module.CHUNK - (0 if second else module.CHUNK - 100))

    assert peer.overflows == []
    assert len(peer.slow) == 1


def test_the_age_is_that_of_the_oldest_byte_and_not_of_the_last_write() -> None:
    peer = behind(limit_bytes=1 << 20)
    for _ in range(10):
        peer.outbox.put(b"x" * module.CHUNK)
    for second in range(1, 10):
        peer.slow.sweep(float(second))
        peer.read(1 + (100 if second == 1 else 0) + (module.CHUNK if second > 1 else 0))

    assert peer.overflows == []
    peer.slow.sweep(10.0)
    assert peer.overflows == [Overflow.AGE]


def test_what_waits_is_known_by_name() -> None:
    peer = behind()
    assert peer.outbox.by_name() == {}
    reply = Envelope(Pong(), "1")
    peer.outbox.put(WHOLE, SHOT)
    peer.outbox.put(frame(reply, Format.JSON), reply)

    assert peer.outbox.by_name() == {"match_data": len(WHOLE), "pong": len(frame(reply, Format.JSON))}
    assert Peer().outbox.by_name() == {}


def test_without_a_socket_all_waits_however_long() -> None:
    peer = Peer()

    assert peer.outbox.park() is False
    peer.outbox.put(WHOLE, SHOT)
    peer.slow.sweep(1000.0)
    assert (peer.overflows, peer.wakes, peer.outbox.queued) == ([], 0, len(WHOLE))
    peer.outbox.resume(peer, Format.JSON)
    peer.flush()
    peer.outbox.catch_up()

    assert peer.writes == [WHOLE]
    assert (len(peer.slow), peer.slow.bytes) == (0, 0)


def test_without_a_socket_too_much_is_told_and_counted_no_more() -> None:
    peer = Peer(limit_bytes=100)
    peer.closes = False
    peer.outbox.park()

    peer.outbox.put(b"x" * 101)

    assert peer.overflows == [Overflow.BYTES]
    assert (peer.slow.bytes, len(peer.slow), peer.slow.closed) == (0, 1, {})


def test_after_a_while_without_a_socket_age_counts_from_the_new_one() -> None:
    peer = Peer(takes=0)
    peer.outbox.park()
    peer.outbox.put(WHOLE, SHOT)
    peer.slow.sweep(100.0)

    peer.outbox.resume(peer, Format.JSON)
    peer.flush()
    peer.slow.sweep(109.9)
    assert peer.overflows == []
    peer.slow.sweep(110.0)

    assert peer.overflows == [Overflow.AGE]
