"""Places in which players hear each other: how each kind is entered, spoken in, and told of.

A room is one player's view of one place. It writes stamped messages from a template, checks those of others
strictly when it sees their shape for the first time, and notes whom the player takes for present.
"""

import asyncio
from abc import ABC, abstractmethod
from binascii import b2a_base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from loadtest import stamp
from loadtest.failures import SwarmError
from loadtest.ledger import Topic
from loadtest.visit import Visit
from protocol.envelope import Envelope, Format, encode
from protocol.message import Message
from protocol.messages.presence import UserPresence

if TYPE_CHECKING:
    from loadtest.player import Player

DRAIN_NS: Final = 5_000_000_000
"""How long what was said is waited for; what comes later is lost."""
ASK_S: Final = 0.001
MIN_PAUSE_S: Final = 0.02
LEFT_GRACE_NS: Final = 2_000_000_000
"""So long after leaving a place messages from it may still come."""


class Said(NamedTuple):
    """A message that a place told."""

    place: str
    session_id: str
    """Who said it; empty where the place does not tell."""
    user_id: str
    data: bytes
    """Stamp and filling."""
    op_code: int = 0
    """Of data in a match or a party."""


class Room(ABC):
    """`enter` first. What the server says of a place reaches it by `loadtest.player`."""

    in_text = False
    """Whether the data travels as text in both formats."""
    names_sender = True
    is_constant = True
    """Whether the messages of one sender differ in nothing but their stamp."""
    op_code = 0
    """What data is sent with, where it has one."""

    def __init__(self, player: "Player", topic: Topic, payload_bytes: int, *, hears: bool = True) -> None:
        if payload_bytes < stamp.SIZE:
            raise SwarmError(f"a test message needs {stamp.SIZE} bytes at least")
        self.player = player
        self.place = ""
        self.visit = topic.begin(player.now_ns(), hears=hears)
        self._filling = bytes(payload_bytes - stamp.SIZE)
        self._before = self._behind = b""

    @abstractmethod
    async def enter(self) -> None:
        """Come in. Raises SwarmError."""

    @staticmethod
    @abstractmethod
    def said(message: Message) -> Said | None:
        """What a message of this kind of place says, or None for any other message."""

    @abstractmethod
    def note(self, message: Message) -> None:
        """Take note of who came and left, if the message tells of this place."""

    @abstractmethod
    def _message(self, data: bytes) -> Message:
        """What is sent so that the others hear this data."""

    def _note_presences(self, joins: Iterable[UserPresence], leaves: Iterable[UserPresence]) -> None:
        for each in joins:
            self.visit.joined(each.session_id)
        for each in leaves:
            self.visit.told_left(each.session_id)

    def entered(self, place: str, session_id: str, user_id: str, present: list[str] | None) -> None:
        """To be called in the turn in which the server's answer arrives."""
        self.place = place
        self.visit.enter(self.player.now_ns(), session_id, user_id, present)
        example = self._message(stamp.pack(0, 0, 0, 0, 0) + self._filling)
        payload = encode(Envelope(example), self.player.form)
        text = self._is_text
        at = payload.index(stamp.MARK_TEXT if text else stamp.MARK)
        self._before, self._behind = payload[:at], payload[at + (stamp.SIZE_TEXT if text else stamp.SIZE) :]

    @property
    def _is_text(self) -> bool:
        return self.in_text or self.player.form is Format.JSON

    def say(self, due_ns: int) -> None:
        """Send the next message. Nothing happens to who is not in any more."""
        player, visit = self.player, self.visit
        if not visit.is_in or not player.is_connected():
            return
        packed = stamp.pack(player.common.run, visit.number, visit.send(), due_ns, player.now_ns())
        carried = b2a_base64(packed, newline=False) if self._is_text else packed
        player.send_payload(self._before + carried + self._behind)

    def hear(self, said: Said, found: stamp.Stamp, sender: Visit, at_ns: int) -> bool:
        """Count what was said. True when it is, word for word, what the sender said to this place."""
        visit, ledger = self.visit, self.visit.topic.ledger
        if self.place and said.place != self.place:
            ledger.misdelivered += 1
            return False
        if (
            found.number >= sender.sent
            or said.data[stamp.SIZE :] != self._filling
            or said.op_code != self.op_code
            or (said.session_id and sender.session_id and said.session_id != sender.session_id)
            or (self.names_sender and said.user_id != sender.user_id)
        ):
            ledger.corrupt += 1
            return False
        if visit.left_ns is not None:
            ledger.misdelivered += at_ns - visit.left_ns > LEFT_GRACE_NS
        elif visit.receive(sender, found.number):
            begun_ns = found.due_ns + found.slip_us * 1000
            self.player.deliver.record(found.due_ns, begun_ns, at_ns)
        return True

    async def drain(self) -> dict[int, int]:
        """Wait until all that was said up to now is heard, or too late. How much that was, by sender."""
        visit = self.visit
        marks = visit.marks()
        deadline = self.player.now_ns() + DRAIN_NS
        # Asking takes as long as there are senders, so it is asked more rarely in a large room.
        pause_s = max(len(marks) * ASK_S, MIN_PAUSE_S)
        # No event instead: it would cost something for each message that is heard.
        while visit.is_in and visit.lacking(marks) and self.player.now_ns() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(pause_s)
        return marks
