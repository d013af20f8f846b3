"""How much one socket may send: token buckets for messages and bytes, and patience with who goes on.

Counted down per message and filled up only when empty, so that a message costs two subtractions. An idle
stretch is worth one burst at most, on top of what was left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf

PATIENCE = 20
"""Messages over the limit that are refused before the socket is closed; one more for each second."""

TOLERANCE = 1e-6
"""Rounding of the clock and of our sums, in favour of the sender."""


class Excess(Enum):
    """What there was too much of; the value is the setting that says so."""

    MESSAGES = "messages_per_s"
    BYTES = "bytes_per_s"


@dataclass(frozen=True, slots=True)
class Rates:
    """What every socket may send. A rate of 0 is no limit. `now` is seconds of any steady clock."""

    now: Callable[[], float]
    messages_per_s: float = 0
    messages_burst: int = 1
    bytes_per_s: float = 0
    bytes_burst: int = 1


class Allowance:
    """What one socket may still send. Who spends subtracts, and asks `refill` when that goes below zero."""

    __slots__ = ("_filled_at", "_patience", "_patient_at", "_rates", "bytes", "excess", "messages")

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._filled_at = self._patient_at = rates.now()
        self._patience = float(PATIENCE)
        self.messages = float(rates.messages_burst) if rates.messages_per_s else inf
        self.bytes = float(rates.bytes_burst) if rates.bytes_per_s else inf
        self.excess = Excess.MESSAGES
        """Of what there was too much the last time."""

    def refill(self, size: int) -> bool:
        """After a message of `size` bytes was subtracted: whether it may pass. If not, it costs nothing."""
        rates = self._rates
        now = rates.now()
        elapsed_s, self._filled_at = now - self._filled_at, now
        # What was left counts as it was before the message.
        if rates.messages_per_s:
            filled = self.messages + 1 + elapsed_s * rates.messages_per_s
            self.messages = min(filled, rates.messages_burst) - 1
        if rates.bytes_per_s:
            filled = self.bytes + size + elapsed_s * rates.bytes_per_s
            self.bytes = min(filled, max(rates.bytes_burst, size)) - size
        if self.messages >= -TOLERANCE and self.bytes >= -TOLERANCE:
            return True
        self.excess = Excess.MESSAGES if self.messages < 0 else Excess.BYTES
        self.messages += 1
        self.bytes += size
        return False

    def bear(self) -> bool:
        """Whether to refuse once more, and not to close."""
        now = self._rates.now()
        self._patience = min(self._patience + now - self._patient_at, PATIENCE)
        self._patient_at = now
        if self._patience < 1:
            return False
        self._patience -= 1
        return True
