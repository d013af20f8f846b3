"""One player's stay in one topic: what was said, what was heard of it, and who is taken for present. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from loadtest.stamp import Shape

if TYPE_CHECKING:
    from loadtest.ledger import Topic

MAX_GAPS: Final = 10_000
"""Numbers that one visit remembers as skipped. Beyond it a late message counts as a duplicate."""


class Visit:
    """One stay. `enter` once the server has confirmed it, `leave` when it is over."""

    __slots__ = (
        "_floors",
        "_gaps",
        "_heard",
        "_is_plain",
        "aborted",
        "believed",
        "changed_ns",
        "diverged",
        "hears",
        "is_in",
        "is_written_off",
        "left_ns",
        "number",
        "sent",
        "session_id",
        "shapes",
        "suspected",
        "topic",
        "user_id",
    )

    def __init__(self, topic: "Topic", number: int, hears: bool) -> None:
        self.topic = topic
        self.number = number
        self.hears = hears
        self.session_id = ""
        self.user_id = ""
        self.sent = 0
        self.is_in = False
        self._is_plain = False
        """Whether all that is heard from anybody must be."""
        self.changed_ns = 0
        """When they came in or, behind that, left."""
        self.left_ns: int | None = None
        self.aborted = False
        self.is_written_off = False
        self.believed: set[str] | None = None
        """Sessions that this player takes for present; None where nobody tells."""
        self.suspected: set[str] = set()
        """Of whom this player thought the wrong thing when that was last compared."""
        self.diverged: set[str] = set()
        """Those of whom that is counted."""
        self.shapes: list[Shape | None] = [None, None]
        """By format, once one of its messages was read strictly. What is equal to that means the same, but
        for the stamp."""
        self._heard: dict[int, int] = {}
        """By sender, the next number."""
        self._floors: dict[int, int] = {}
        """By sender, the first number that must be heard, where that is not 0."""
        self._gaps: dict[int, set[int]] = {}

    def enter(self, now_ns: int, session_id: str, user_id: str, present: Iterable[str] | None) -> None:
        """The server has answered: the player is in, with these sessions (None: it does not tell)."""
        self.session_id, self.user_id = session_id, user_id
        self._floors = {number: visit.sent for number, visit in self.topic.recent.items() if visit.sent}
        if present is not None:
            self.believed = (self.believed or set()) | set(present)
        self.is_in, self._is_plain = True, self.hears and not self._floors
        self.topic.recent[self.number] = self
        self.topic.ledger.enter(self)
        if self.hears:
            self.topic.members[self.number] = self
        self.changed_ns = now_ns
        self.topic.is_unchecked = True

    def send(self) -> int:
        """The number of the message that is said now. Only for who is in."""
        topic = self.topic
        ledger = topic.ledger
        ledger.sent += 1
        ledger.expected += len(topic.members) - (self.hears and not topic.echoes)
        self.sent += 1
        return self.sent - 1

    def receive(self, sender: "Visit", number: int) -> bool:
        """Check a message of the same topic. True if it is new, so that its latency means something."""
        ledger, key = self.topic.ledger, sender.number
        expected = self._heard.get(key)
        if number == expected and self._is_plain:  # nearly always
            self._heard[key] = number + 1
            ledger.delivered += 1
            return True
        if not self.hears:
            return False
        if not 0 <= number < sender.sent or (sender is self and not self.topic.echoes):
            ledger.corrupt += 1
            return False
        if sender.is_written_off:
            return False
        floor = self._floors.get(key, 0)
        if expected is None:
            expected = min(number, floor) if self.is_in else number
        if number >= expected:
            self._skip(key, max(expected, floor), number)
            self._heard[key] = number + 1
        elif number in self._gaps.get(key, ()):
            self._gaps[key].remove(number)
            ledger.reordered += 1
        else:
            ledger.duplicated += 1
            return False
        if number >= floor and self.is_in:
            ledger.delivered += 1
        return True

    def _skip(self, key: int, first: int, behind: int) -> None:
        if first < behind:
            gaps = self._gaps.setdefault(key, set())
            gaps.update(range(first, min(behind, first + MAX_GAPS - len(gaps))))

    def joined(self, session_id: str) -> None:
        """The player was told that somebody came in."""
        if self.believed is None:
            if self.is_in:  # without a beginning, what is told tells nothing
                return
            self.believed = set()
        self.believed.add(session_id)
        self.topic.is_unchecked = True

    def told_left(self, session_id: str) -> None:
        """The player was told that somebody left."""
        if self.believed is not None:
            self.believed.discard(session_id)
            self.topic.is_unchecked = True

    def marks(self) -> dict[int, int]:
        """How much everybody has said by now; `lacking` tells when all of that is heard."""
        return {number: visit.sent for number, visit in self.topic.recent.items() if visit.sent}

    def lacking(self, marks: dict[int, int]) -> int:
        """How many of the messages up to the marks are not heard."""
        recent = self.topic.recent
        return sum(
            self.owed_by(sender, mark) for number, mark in self._open(marks) if (sender := recent.get(number))
        )

    def _open(self, marks: dict[int, int]) -> Iterable[tuple[int, int]]:
        """Those of the marks up to which something may be owed.

        It is for few of them, nearly always. To ask for each would hold the worker up when a crowd leaves.
        """
        if self._gaps:
            return marks.items()
        return marks.items() - self._heard.items() - self._floors.items()

    def owed_by(self, sender: "Visit", mark: int | None = None) -> int:
        """How many messages of this sender, up to the mark, should have been heard and were not yet.

        Of a connection that broke nothing is owed but what lies in front of a message that was heard.
        """
        if sender is self and not self.topic.echoes:
            return 0
        key = sender.number
        gaps = len(self._gaps.get(key, ()))
        if sender.is_written_off or (mark is not None and sender.aborted):
            return gaps
        floor = self._floors.get(key, 0)
        tail = (sender.sent if mark is None else mark) - max(self._heard.get(key, 0), floor)
        return gaps + max(tail, 0)

    def leave(self, now_ns: int, marks: dict[int, int] | None) -> None:
        """The stay is over: in order, after what was said up to the marks was waited for, or (None) broken.

        What was said behind the marks may have been under way, and is not expected any more.
        """
        topic = self.topic
        if self.is_in and self.hears and marks is not None:
            topic.before_leave(now_ns)
        if self.is_in and self.hears:
            del topic.members[self.number]
            owed = sum(self.owed_by(topic.recent[number]) for number, _ in self._open(self.marks()))
            certain = sum(map(len, self._gaps.values())) if marks is None else self.lacking(marks)
            topic.ledger.expected -= max(owed - certain, 0)
            if marks is None:
                topic.ledger.written_off += max(owed - certain, 0)
        self.is_in = self._is_plain = False
        self.left_ns = self.changed_ns = now_ns
        self.aborted = marks is None
        topic.is_unchecked = True

    def forgive(self) -> None:
        """The server has told this player that something may be missing: what is, is counted apart."""
        if not self.is_in or not self.hears:
            return
        for sender in self.topic.recent.values():
            owed = self.owed_by(sender)
            self.topic.ledger.expected -= owed
            self.topic.ledger.written_off += owed
            self._gaps.pop(sender.number, None)
            self._heard.pop(sender.number, None)
            self._floors[sender.number] = sender.sent
        self._is_plain = False
        self.believed = None

    def write_off(self) -> None:
        """This player's connection broke: what did not get through by now never will."""
        for member in self.topic.members.values():
            under_way = member.owed_by(self) - len(member._gaps.get(self.number, ()))
            self.topic.ledger.expected -= under_way
            self.topic.ledger.written_off += under_way
        self.is_written_off = True
