"""Who must hear what: every message is numbered by its sender and checked at each receiver. Pure.

Players are in topics (a match, a room, a party). A *visit* is one player's stay in one topic; it numbers what
it says from 0. Whoever is in the topic when something is said must hear it: once, in order, and nobody else
may. What was under way while somebody came in may be heard or not; what was under way when a connection broke
is written off, and counted apart.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from loadtest.result import Truth
from loadtest.stamp import Shape

MAX_GAPS: Final = 10_000
"""Numbers that one visit remembers as skipped. Beyond it a late message counts as a duplicate."""
WRITE_OFF_NS: Final = 3_000_000_000
"""So long after a connection broke, what its last messages have not reached by then is given up."""
KEEP_NS: Final = 30_000_000_000
"""So long those who left are remembered for what they said last."""
QUIET_NS: Final = 2_000_000_000
"""So long after somebody came or left, all other members must know."""
CHECKED_EACH_SECOND: Final = 100
"""Members of a topic, at most, whose view is checked each second; larger ones as somebody leaves."""
CHECKED_AT_ONCE: Final = 200_000
"""What members think of members, so much of it at most, is compared in one turn of the loop."""


class Ledger:
    """All visits of one worker, and what came of them."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        """By number."""
        self.sent = 0
        self.expected = 0
        self.delivered = 0
        self.duplicated = 0
        self.reordered = 0
        self.misdelivered = 0
        self.corrupt = 0
        self.presence_diverged = 0
        self.two_sockets = 0
        self.written_off = 0
        """Under way when a connection broke."""
        self._topics: dict[int, Topic] = {}
        self._next_topic = 0

    def topic(self, *, echoes: bool = False) -> "Topic":
        """A new topic. `echoes`: who says something hears it too."""
        topic = self._topics[self._next_topic] = Topic(self, self._next_topic, echoes)
        self._next_topic += 1
        return topic

    def visit(self, number: int) -> "Visit | None":
        """By its number, as a stamp tells it."""
        return self.visits[number] if number < len(self.visits) else None

    def sweep(self, now_ns: int, *, last: bool = False) -> None:
        """About once a second, and a `last` time when all is heard: write off, compare, forget."""
        for topic in list(self._topics.values()):
            topic.sweep(now_ns, last=last)
            if not topic.members and not topic.recent:
                del self._topics[topic.number]

    def truth(self) -> Truth:
        """The counts so far."""
        return Truth(
            sent=self.sent,
            expected=self.expected,
            delivered=self.delivered,
            lost=self.expected - self.delivered,
            duplicated=self.duplicated,
            reordered=self.reordered,
            misdelivered=self.misdelivered,
            corrupt=self.corrupt,
            presence_diverged=self.presence_diverged,
            two_sockets=self.two_sockets,
        )


class Topic:
    """Those who hear each other."""

    def __init__(self, ledger: Ledger, number: int, echoes: bool) -> None:
        self.ledger = ledger
        self.number = number
        self.echoes = echoes
        self.members: dict[int, Visit] = {}
        """Who is in and hears, by the visits' numbers."""
        self.recent: dict[int, Visit] = {}
        """Whose messages may still be heard: everybody who is in, and who left a moment ago."""
        self.is_unchecked = False
        """Whether somebody came or left, or was told to have, since all views were compared."""
        self._begun_ns = 0
        self._checked_at_leave_ns: int | None = None

    def begin(self, now_ns: int, *, hears: bool = True) -> "Visit":
        """Somebody has asked to come in. From now on they may hear the others, but need not."""
        visit = Visit(self, len(self.ledger.visits), hears)
        self.ledger.visits.append(visit)
        self._begun_ns = now_ns
        self.is_unchecked = True
        return visit

    def before_leave(self, now_ns: int) -> None:
        """Somebody is about to leave in order: the last moment at which what they all think can be compared.

        When all leave together, once is enough.
        """
        checked_ns = self._checked_at_leave_ns
        if self.is_unchecked and (checked_ns is None or now_ns - checked_ns > QUIET_NS):
            self._checked_at_leave_ns = now_ns
            self._compare(now_ns, QUIET_NS, at_once=True)

    def sweep(self, now_ns: int, *, last: bool) -> None:
        for visit in [each for each in self.recent.values() if each.left_ns is not None]:
            gone_ns = now_ns - (visit.left_ns or 0)
            if visit.aborted and not visit.is_written_off and (last or gone_ns > WRITE_OFF_NS):
                visit.write_off()
            is_settled = gone_ns > QUIET_NS and all(
                each.owed_by(visit) == 0 for each in self.members.values()
            )
            if is_settled or gone_ns > KEEP_NS:
                del self.recent[visit.number]
        if self.is_unchecked and (last or len(self.members) <= CHECKED_EACH_SECOND):
            self._compare(now_ns, -1 if last else QUIET_NS, at_once=last)

    def _compare(self, now_ns: int, quiet_ns: int, *, at_once: bool) -> None:
        """Compare what members think with who is there, but for who came or left within `quiet_ns`.

        What is found wrong counts `at_once`, or else when it still is so the next time: of somebody whose
        connection breaks the others may hear first.
        """
        there = {visit.session_id for visit in self.members.values()}
        known = {visit.session_id for visit in self.recent.values()}
        fresh = {each.session_id for each in self.recent.values() if now_ns - each.changed_ns <= quiet_ns}
        # Who does not hear may be gone without knowing it: whether they are believed in says nothing.
        unsure = fresh | {each.session_id for each in self.recent.values() if not each.hears}
        is_begun = now_ns - self._begun_ns <= quiet_ns
        self.is_unchecked = is_begun or bool(fresh)
        for visit in islice(self.members.values(), CHECKED_AT_ONCE // (len(there) or 1)):
            if visit.believed is None or now_ns - visit.changed_ns <= quiet_ns:
                continue
            wrong = (visit.believed ^ there) - {visit.session_id} - unsure - visit.diverged
            if is_begun:  # those may be believed in who have not heard of it themselves
                wrong &= known
            found = wrong if at_once else wrong & visit.suspected
            visit.suspected = wrong - found
            visit.diverged |= found
            self.ledger.presence_diverged += len(found)
            self.is_unchecked = self.is_unchecked or bool(visit.suspected)


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

    def __init__(self, topic: Topic, number: int, hears: bool) -> None:
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
        return {number: visit.sent for number, visit in self.topic.recent.items()}

    def lacking(self, marks: dict[int, int]) -> int:
        """How many of the messages up to the marks are not heard."""
        recent = self.topic.recent
        return sum(
            self.owed_by(sender, mark) for number, mark in marks.items() if (sender := recent.get(number))
        )

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
            owed = sum(self.owed_by(sender) for sender in topic.recent.values())
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
