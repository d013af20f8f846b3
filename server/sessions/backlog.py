"""What waits for a peer that reads too slowly, in order, and how it is made smaller.

Unreliable match data may be dropped, the oldest first. Presence events are merged into one difference and
never dropped. Of match data with a key only the latest waits. All else stays. No I/O, no time of its own.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from protocol.difference import Difference, Topic, is_data, speaker_of, topic_of
from protocol.envelope import Envelope, Format, frame
from protocol.message import Message
from protocol.messages import MatchData

Content = Message | Envelope | None
"""What a frame holds: a message, a reply with its cid, or nothing that is known of."""
ENTRY_BYTES = 256
"""What is kept for a frame besides its bytes, about. It counts: many small ones take a lot of memory."""
CONTROL = "control"
"""How frames without a message are called in counters."""


@dataclass(slots=True)
class Counts:
    """What became of messages that could not be sent at once, by their wire names, or by receiver."""

    dropped: Counter[str] = field(default_factory=Counter)
    merged: Counter[str] = field(default_factory=Counter)
    dropped_for: Counter[str] = field(default_factory=Counter)
    """Since the last report; whoever reports clears it."""


@dataclass(slots=True)
class _Waiting:
    whole: bytes
    content: Content
    size: int
    since: float
    latest_key: str = ""
    difference: Difference | None = None
    """If set, it is what is sent, and `size` a bound."""


class Backlog:
    """Frames of one format for one receiver. `counts` is shared by all backlogs of the process."""

    __slots__ = (
        "_counts",
        "_droppable",
        "_form",
        "_keyed",
        "_next",
        "_pending",
        "_receiver",
        "_settled_size",
        "_spoke",
        "_waiting",
        "size",
    )

    def __init__(self, form: Format, counts: Counts, receiver: str) -> None:
        self._form = form
        self._receiver = receiver
        self._counts = counts
        self.size = 0
        """Bytes that wait, with what is kept for them."""
        self._settled_size = 0
        self._forget_all()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def since(self) -> float | None:
        """When the oldest of all was added."""
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first.since

    def add(self, whole: bytes, content: Content, now: float, latest_key: str = "") -> None:
        """Let one frame wait, behind all others."""
        self._admit(_Waiting(whole, content, len(whole) + ENTRY_BYTES, now, latest_key))

    def shrink(self, target: int) -> None:
        """Come down to `target` bytes, as far as that can be done."""
        while self.size > target and self._droppable:
            self._drop(self._droppable.popleft())
        # This looks at all that waits, so not again before there is a good deal more.
        if self.size > target and self.size * 8 > self._settled_size * 9:
            self._settle()

    def take(self, at_most: int) -> list[bytes]:
        """The oldest frames, up to so many bytes but at least one."""
        taken: list[int] = []
        size = 0
        for number, waiting in self._waiting.items():
            if taken and size + waiting.size > at_most:
                break
            taken.append(number)
            size += waiting.size
        self.size -= size
        frames = [self._whole(self._waiting.pop(number)) for number in taken]
        if taken:
            self._forget_until(taken[-1])
        return frames

    def rewrite(self, form: Format, now: float) -> None:
        """Go on in this format, for another socket: without frames that only the old one knew the meaning of.

        All is as old as `now`.
        """
        self._form = form
        kept = [waiting for waiting in self._waiting.values() if waiting.content is not None]
        for waiting in kept:
            if waiting.difference is None:
                content = waiting.content
                envelope = content if isinstance(content, Envelope) else Envelope(content)
                waiting.whole = frame(envelope, form)
                waiting.size = len(waiting.whole) + ENTRY_BYTES
            waiting.since = now
        self._admit_all(kept)

    def by_name(self) -> Counter[str]:
        """Bytes that wait, by wire name."""
        sizes: Counter[str] = Counter()
        for waiting in self._waiting.values():
            sizes[_name(waiting.content)] += waiting.size
        return sizes

    def _forget_all(self) -> None:
        self._next = 0
        self._waiting: dict[int, _Waiting] = {}
        self._droppable: deque[int] = deque()
        self._keyed: dict[tuple[str, str], int] = {}
        # The event of each topic that the next one may be merged into.
        self._pending: dict[Topic, int] = {}
        # Where each speaker of a topic was last heard.
        self._spoke: dict[Topic, dict[str, int]] = {}

    def _forget_until(self, last: int) -> None:
        # A peer may be behind for as long as it plays.
        while self._droppable and self._droppable[0] <= last:
            self._droppable.popleft()
        self._keyed = {key: number for key, number in self._keyed.items() if number > last}
        self._pending = {topic: number for topic, number in self._pending.items() if number > last}
        heard = {
            topic: {who: number for who, number in spoke.items() if number > last}
            for topic, spoke in self._spoke.items()
        }
        self._spoke = {topic: spoke for topic, spoke in heard.items() if spoke}

    def _admit(self, waiting: _Waiting) -> None:
        message = waiting.content
        if message is None or isinstance(message, Envelope):
            # A reply may say who is there: events before and after it are not the same news.
            self._pending.clear()
        elif (topic := topic_of(message)) is not None:
            waiting = self._merged(waiting, topic, message)
            if waiting.size == 0:
                return  # they came and went
            self._pending[topic] = self._next
        elif is_data(message):
            self._admit_data(message, waiting.latest_key)
        else:
            self._pending.clear()
        self._waiting[self._next] = waiting
        self._next += 1
        self.size += waiting.size

    def _admit_data(self, message: Message, latest_key: str) -> None:
        if (speaker := speaker_of(message)) is not None:
            self._spoke.setdefault(speaker[0], {})[speaker[1]] = self._next
        if not isinstance(message, MatchData):
            return
        if latest_key:
            key = (message.match_id, latest_key)
            self._drop(self._keyed.get(key, -1))
            self._keyed[key] = self._next
        if not message.reliable:
            self._droppable.append(self._next)

    def _merged(self, waiting: _Waiting, topic: Topic, event: Message) -> _Waiting:
        """The event, together with the one that waits, if any may be merged with it."""
        number = self._pending.get(topic, -1)
        earlier = self._waiting.get(number)
        if earlier is None:
            return waiting
        assert not isinstance(earlier.content, Envelope)  # only events are pending
        difference = earlier.difference or Difference(earlier.content)
        spoke = self._spoke.get(topic, {})
        if any(heard > number and difference.joins(who) for who, heard in spoke.items()):
            # Merged, the event would move behind what was said by those whose joining it tells.
            return waiting
        del self._waiting[number], self._pending[topic]
        self.size -= earlier.size
        difference.add(event if waiting.difference is None else waiting.difference.event())
        size = earlier.size + waiting.size if not difference.is_empty else 0
        self._counts.merged[_name(event)] += 1
        return _Waiting(b"", event, size, earlier.since, difference=difference)

    def _drop(self, number: int) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            self.size -= waiting.size
            self._counts.dropped[_name(waiting.content)] += 1
            self._counts.dropped_for[self._receiver] += 1

    def _settle(self) -> None:
        """Merge what dropped data kept apart, and measure what the differences come to."""
        self._admit_all(list(self._waiting.values()))
        for waiting in self._waiting.values():
            waiting.size = len(self._whole(waiting)) + ENTRY_BYTES
        self.size = self._settled_size = sum(waiting.size for waiting in self._waiting.values())

    def _admit_all(self, all_waiting: list[_Waiting]) -> None:
        self._forget_all()
        self.size = 0
        for waiting in all_waiting:
            self._admit(waiting)

    def _whole(self, waiting: _Waiting) -> bytes:
        if waiting.difference is None:
            return waiting.whole
        return frame(Envelope(waiting.difference.event()), self._form)


def _name(content: Content) -> str:
    message = content.message if isinstance(content, Envelope) else content
    if message is None or message.from_server is None:
        return CONTROL
    return message.from_server.name
