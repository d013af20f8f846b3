"""Who must hear what: every message is numbered by its sender and checked at each receiver. Pure.

Players are in topics (a match, a room, a party). A *visit* is one player's stay in one topic; it numbers what
it says from 0. Whoever is in the topic when something is said must hear it: once, in order, and nobody else
may. What was under way while somebody came in may be heard or not; what was under way when a connection broke
is written off, and counted apart.
"""

from collections import deque
from itertools import islice
from typing import Final

from loadtest.result import Truth
from loadtest.visit import Visit

WRITE_OFF_NS: Final = 3_000_000_000
"""So long after a connection broke, what its last messages have not reached by then is given up."""
KEEP_NS: Final = 30_000_000_000
"""So long those who left are remembered for what they said last."""
QUIET_NS: Final = 2_000_000_000
"""So long after somebody came or left, all other members must know."""
MAX_FORGOTTEN: Final = 20_000
"""Visits that are known although nothing more is expected of them. What older ones said is a duplicate."""
CHECKED_EACH_SECOND: Final = 100
"""Members of a topic, at most, whose view is checked each second; larger ones as somebody leaves."""
CHECKED_AT_ONCE: Final = 200_000
"""What members think of members, so much of it at most, is compared in one turn of the loop."""


class Ledger:
    """All visits of one worker, and what came of them."""

    def __init__(self) -> None:
        self.visits: dict[int, Visit] = {}
        """Those that were entered and are not long over, by number."""
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
        self._next_topic = self._next_visit = 0
        self._forgotten = deque[int]()
        """The visits that are over, the oldest first."""

    def topic(self, *, echoes: bool = False) -> "Topic":
        """A new topic. `echoes`: who says something hears it too."""
        self._next_topic += 1
        return Topic(self, self._next_topic - 1, echoes)

    def begin(self) -> int:
        """Somebody has asked to come in: the number of their visit."""
        self._next_visit += 1
        return self._next_visit - 1

    def enter(self, visit: Visit) -> None:
        """They are in: what they say is known from now on, and the topic is swept."""
        self.visits[visit.number] = visit
        self._topics[visit.topic.number] = visit.topic

    def hear_of_nobody(self, number: int) -> None:
        """A message was heard whose sender's visit has this number, and is not among `visits`."""
        if number < self._next_visit:
            self.duplicated += 1
        else:
            self.corrupt += 1

    def forget(self, visit: Visit) -> None:
        """Nothing is expected of this visit any more. It is known until as many others are forgotten."""
        self._forgotten.append(visit.number)
        if len(self._forgotten) > MAX_FORGOTTEN:
            del self.visits[self._forgotten.popleft()]

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

    def begin(self, now_ns: int, *, hears: bool = True) -> Visit:
        """Somebody has asked to come in. From now on they may hear the others, but need not."""
        visit = Visit(self, self.ledger.begin(), hears)
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
                self.ledger.forget(visit)
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
