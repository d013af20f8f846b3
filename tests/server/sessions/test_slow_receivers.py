"""All sockets that are behind, together."""

from structlog.testing import capture_logs

from server.sessions.slow_receivers import Overflow, SlowReceivers
from tests.server.sessions.test_outbox import SHOT, WHOLE, behind


def receivers(max_bytes: int) -> SlowReceivers:
    return SlowReceivers(max_age_s=10, max_bytes=max_bytes)


def test_what_waits_is_summed_up_over_all_sockets() -> None:
    slow = receivers(10_000)
    first, second = behind(slow=slow), behind(slow=slow)

    first.outbox.put(b"x" * 50)
    assert (len(slow), slow.bytes) == (2, 250)
    first.read(1 << 20)
    assert (len(slow), slow.bytes) == (1, 100)
    second.outbox.catch_up()  # as it does when TCP is gone

    assert (len(slow), slow.bytes) == (0, 0)


def test_the_socket_with_most_is_closed_when_all_together_have_too_much() -> None:
    slow = receivers(1000)
    peers = [behind(slow=slow) for _ in range(3)]
    peers[1].outbox.put(b"x" * 500)

    peers[0].outbox.put(b"x" * 200)
    assert [each.overflows for each in peers] == [[], [], []]
    peers[2].outbox.put(b"x")

    assert [each.overflows for each in peers] == [[], [Overflow.TOTAL], []]
    assert slow.closed == {"total": 1}
    assert slow.bytes == 401


def test_what_may_be_dropped_is_dropped_before_a_socket_is_closed() -> None:
    slow = receivers(1000)
    most, least = behind(slow=slow), behind(slow=slow)
    for _ in range(10):
        most.outbox.put(WHOLE, SHOT)

    least.outbox.put(b"x" * 800)

    assert (most.overflows, least.overflows) == ([], [])
    assert slow.counts.dropped == {"match_data": 10}
    assert slow.bytes == 1000


def test_what_a_closed_socket_still_holds_closes_no_other() -> None:
    slow = receivers(1000)
    peers = [behind(slow=slow) for _ in range(3)]
    peers[0].outbox.put(b"x" * 701)
    assert peers[0].overflows == [Overflow.TOTAL]

    peers[0].outbox.put(b"its close frame")
    peers[1].outbox.put(b"x" * 700)

    assert [len(each.overflows) for each in peers] == [1, 0, 0]


def test_drops_are_told_once_per_sweep_with_whom_they_hit_most() -> None:
    slow = receivers(10_000)
    peers = [behind(limit_bytes=150, slow=slow, name=name) for name in ("slow", "slowest")]
    for peer, times in zip(peers, (3, 5), strict=True):
        for _ in range(times):
            peer.outbox.put(WHOLE, SHOT)

    with capture_logs() as logged:
        slow.sweep(1.0)
        slow.sweep(2.0)

    assert logged == [
        {
            "event": "messages_dropped",
            "log_level": "warning",
            "messages": 8,
            "receivers": 2,
            "top_session_id": "slowest",
            "top_messages": 5,
        }
    ]
