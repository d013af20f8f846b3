"""Who was told what: every message is counted when sent and checked at each receiver, by sender and number.

Pure. Members of a group receive everything that the others of the group send, once, in order, and nothing
else; each departure from that is counted under its own name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_GAPS = 10_000
"""Numbers that one lane remembers as skipped. Beyond it a late message counts as a duplicate."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts so far; `lost` includes what is still on its way."""

    sent: int
    expected: int
    delivered: int
    duplicated: int
    reordered: int
    wrong: int

    @property
    def lost(self) -> int:
        return self.expected - self.delivered

    @property
    def is_clean(self) -> bool:
        """Whether everything arrived, once, in order, where it belongs."""
        return not (self.lost or self.duplicated or self.reordered or self.wrong)


class _Lane:
    """What one receiver has had from one sender."""

    __slots__ = ("expected", "gaps")

    def __init__(self) -> None:
        self.expected = 0
        self.gaps: set[int] = set()


class Ledger:
    """Players are numbers from 0. Enrol each group before any of it sends."""

    def __init__(self, players: int) -> None:
        self._lanes: list[dict[int, _Lane]] = [{} for _ in range(players)]
        self._sent = [0] * players
        self._expected = 0
        self.delivered = 0
        self.sent = 0
        self._duplicated = 0
        self._reordered = 0
        self._wrong = 0

    def enrol(self, group: Sequence[int]) -> None:
        """These players will hear each other."""
        for receiver in group:
            self._lanes[receiver] = {sender: _Lane() for sender in group if sender != receiver}

    def send(self, sender: int) -> int:
        """The number of the message that this player sends now."""
        number = self._sent[sender]
        self._sent[sender] += 1
        self.sent += 1
        self._expected += len(self._lanes[sender])
        return number

    def receive(self, receiver: int, sender: int, number: int) -> bool:
        """Check one message. True if it is new to its receiver, so that its latency means something."""
        lane = self._lanes[receiver].get(sender)
        if lane is None or not 0 <= number < self._sent[sender]:
            self._wrong += 1
            return False
        if number == lane.expected:
            lane.expected += 1
        elif number > lane.expected:
            room = MAX_GAPS - len(lane.gaps)
            lane.gaps.update(range(lane.expected, min(number, lane.expected + room)))
            lane.expected = number + 1
        elif number in lane.gaps:
            lane.gaps.remove(number)
            self._reordered += 1
        else:
            self._duplicated += 1
            return False
        self.delivered += 1
        return True

    def note_wrong(self) -> None:
        """Something arrived that nobody can have sent to this player."""
        self._wrong += 1

    def is_complete(self) -> bool:
        """Whether everything sent so far has arrived."""
        return self.delivered >= self._expected

    def tally(self) -> Tally:
        return Tally(
            self.sent, self._expected, self.delivered, self._duplicated, self._reordered, self._wrong
        )
