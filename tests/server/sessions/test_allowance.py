"""What one socket may send, at the edge."""

import pytest

from server.sessions.allowance import PATIENCE, Allowance, Excess, Rates
from tests.support.clock import ManualClock

LIMITS = {"messages_per_s": 10, "messages_burst": 20, "bytes_per_s": 100, "bytes_burst": 1000}


class Sender:
    """Spends as a session does."""

    def __init__(self, **limits: float) -> None:
        self.clock = ManualClock()
        self.allowance = Allowance(Rates(self.clock.monotonic, **limits))  # type: ignore[arg-type]  # ints too

    def send(self, size: int = 1) -> bool:
        self.allowance.messages -= 1
        self.allowance.bytes -= size
        enough = self.allowance.messages >= 0 and self.allowance.bytes >= 0
        return enough or self.allowance.refill(size)

    def sent(self, size: int = 1) -> int:
        """How many messages pass before one does not."""
        count = 0
        while self.send(size):
            count += 1
        return count


def test_a_burst_passes_and_then_what_time_brings() -> None:
    sender = Sender(**LIMITS)

    assert sender.sent() == 20
    assert sender.allowance.excess is Excess.MESSAGES
    sender.clock.advance(0.5)
    assert sender.sent() == 5


def test_fractions_of_a_message_add_up() -> None:
    sender = Sender(**LIMITS)
    sender.sent()

    passed = 0
    for _ in range(100):
        sender.clock.advance(0.05)
        passed += sender.send()

    assert passed == 50


def test_bytes_count_too() -> None:
    sender = Sender(**LIMITS)

    assert sender.sent(size=300) == 3
    assert sender.allowance.excess is Excess.BYTES
    assert sender.send(size=100)
    assert not sender.send(size=1)
    sender.clock.advance(3)
    assert sender.send(size=300)


def test_what_is_refused_costs_nothing() -> None:
    sender = Sender(**LIMITS)
    sender.sent()
    for _ in range(1000):
        assert not sender.send()

    sender.clock.advance(0.1)

    assert sender.send()


def test_an_idle_stretch_is_worth_one_burst_at_most() -> None:
    sender = Sender(**LIMITS)
    for _ in range(15):
        assert sender.send()

    sender.clock.advance(3600)

    assert sender.sent() <= 25


def test_a_message_larger_than_the_burst_passes_when_the_bucket_is_full() -> None:
    sender = Sender(bytes_per_s=100, bytes_burst=1000)

    assert sender.send(1500) is False
    sender.clock.advance(5)
    assert sender.send(1500)
    assert not sender.send(1)


def test_without_rates_everything_passes() -> None:
    sender = Sender()

    assert all(sender.send(1 << 20) for _ in range(10_000))


@pytest.mark.parametrize(
    ("limit", "other"), [("messages_per_s", "messages_burst"), ("bytes_per_s", "bytes_burst")]
)
def test_one_limit_alone_holds(limit: str, other: str) -> None:
    sender = Sender(**{limit: 1, other: 7})

    assert sender.sent() == 7


def test_patience_ends_and_comes_back_with_time() -> None:
    sender = Sender(**LIMITS)

    assert [sender.allowance.bear() for _ in range(PATIENCE + 1)] == [True] * PATIENCE + [False]
    sender.clock.advance(1)
    assert [sender.allowance.bear() for _ in range(2)] == [True, False]
    sender.clock.advance(3600)
    assert [sender.allowance.bear() for _ in range(PATIENCE + 1)] == [True] * PATIENCE + [False]
