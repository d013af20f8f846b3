"""What a player hears: test messages go to the ledger, everything else to whoever listens for it.

A frame that is, but for its stamp, equal to one that was read strictly before is counted without decoding. It
is counted as decoding it would have it counted, whatever a server sends.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from loadtest import stamp
from loadtest.common import Common
from loadtest.places import said
from loadtest.rooms import Room, Said
from loadtest.socket import Listener, Socket
from loadtest.visit import Visit
from protocol.envelope import Format, decode_server
from protocol.message import Message
from protocol.messages import Error, MatchData, Notifications, PartyData, StatusPresenceEvent

M = TypeVar("M", bound=Message)

MISSED: Final = -1003
"""The code of the notification that a resumed session may have missed something."""
CARRIERS: Final = (MatchData, PartyData, StatusPresenceEvent)
"""Of stamps, in frames that may be known without decoding."""


class Ear(Listener):
    """Of one player, on all of their sockets. `lost` is told of a socket that the server has ended."""

    def __init__(self, common: Common, lost: Callable[[Socket, str], None]) -> None:
        self.rooms: dict[int, Room] = {}
        """Where the player is, by the topics' numbers."""
        self.has_been_in = False
        """Whether the player went anywhere in this stay: something from there may be under way."""
        self.on_error: Callable[[str], None] = common.error
        self._common = common
        self._run = common.run
        self._visits: Mapping[int, Visit] = common.ledger.visits
        """Whose frames may be known."""
        self._lost = lost
        self._form = common.dialer.form
        self._mark = stamp.MARKS[self._form]
        self._deliver = common.timings["deliver"]
        self._frame = b""
        """The last one that holds the mark of a stamp and was not known."""
        self._listening: list[tuple[type[Message], Callable[[Any, int], None]]] = []

    @contextmanager
    def hearing(self, kind: type[M], heard: Callable[[M, int], None]) -> Iterator[None]:
        """Call `heard` with each message of this kind that is no reply, and the time it came, meanwhile."""
        entry = (kind, heard)
        self._listening.append(entry)
        self._decode_as_asked()
        try:
            yield
        finally:
            self._listening.remove(entry)
            self._decode_as_asked()

    def _decode_as_asked(self) -> None:
        # While somebody listens to what carries stamps no frame is known: each is to reach them.
        listened = any(issubclass(carrier, kind) for kind, _ in self._listening for carrier in CARRIERS)
        self._visits = {} if listened else self._common.ledger.visits

    def on_frame(self, socket: Socket, data: bytes, start: int, end: int, at_ns: int) -> bool:
        at = data.find(self._mark, start, end)
        if at < 0 and self._form is Format.PROTOBUF:
            at = data.find(stamp.MARK_TEXT, start, end)
        if at < 0:
            return False
        # Few calls and no classes: this is done for each frame that is received.
        if (fields := stamp.fields(data, at)) is not None:
            _, run, number, message, due_ns, slip_us, _ = fields
            if run == self._run and (sender := self._visits.get(number)) is not None:
                room, shape = self.rooms.get(sender.topic.number), sender.shapes[self._form]
                # A frame that is, but for its stamp, equal to one that was read strictly.
                if room is not None and shape is not None:
                    length, before, head, behind, tail, place = shape
                    if (
                        end - start == length
                        and at - start == before
                        and data.startswith(head, start)
                        and data.startswith(tail, start + behind)
                        and room.place == place
                        and message < sender.sent
                        and room.visit.is_in
                    ):
                        if room.visit.receive(sender, message):
                            self._deliver.record(due_ns, due_ns + slip_us * 1000, at_ns)
                        return True
        self._frame = data[start:end]
        return False

    def on_message(self, socket: Socket, message: Message, at_ns: int) -> None:
        heard = said(message)
        if heard is not None and (self.rooms or not self.has_been_in):
            self._hear(heard, at_ns)
        for room in self.rooms.values():
            room.note(message)
        for kind, listener in list(self._listening):
            if isinstance(message, kind):
                listener(message, at_ns)
        if isinstance(message, Notifications) and any(each.code == MISSED for each in message.notifications):
            self._common.counts["told_of_a_gap"] += 1
            for room in self.rooms.values():
                room.visit.forgive()
        if isinstance(message, Error):
            self.on_error(f"an error envelope that no request waits for, code {message.code}")

    def _hear(self, heard: Said, at_ns: int) -> None:
        ledger = self._common.ledger
        found = stamp.read(heard.data)
        if found is None:
            ledger.corrupt += 1
            return
        sender = ledger.visits.get(found.visit) if found.run == self._common.run else None
        room = self.rooms.get(sender.topic.number) if sender is not None else None
        if found.run != self._common.run or (sender is not None and room is None):
            ledger.misdelivered += 1
        elif sender is None or room is None:
            ledger.hear_of_nobody(found.visit)
        elif room.hear(heard, found, sender, at_ns) and room.is_constant:
            sender.shapes[self._form] = self._learned(heard, found)

    def _learned(self, heard: Said, found: stamp.Stamp) -> stamp.Shape | None:
        """The shape of the frame that said this, if nothing but its stamp makes the difference.

        Another stamp in its place must be said in just the same way. It is not where the stamp that is found
        first is not the one that counts, where this was said by another frame, or where it has a cid.
        """
        shape = stamp.shape(self._frame, heard.place)
        if shape is None:
            return None
        other = stamp.pack(~found.run & 0xFF, found.visit, found.number, found.due_ns, found.due_ns)
        try:
            envelope = decode_server(stamp.fill(shape, other), self._form)
        except ValueError:
            return None
        alike = heard._replace(data=other + heard.data[stamp.SIZE :])
        same = envelope.message is not None and not envelope.cid and said(envelope.message) == alike
        return shape if same else None

    def on_stray_reply(self, socket: Socket, message: Message | None) -> None:
        self.on_error("a reply that no request waits for")

    def on_dropped(self, socket: Socket, reason: str) -> None:
        self._lost(socket, reason)

    def lose_rooms(self) -> None:
        """The connection broke: the player is nowhere any more."""
        for room in self.rooms.values():
            room.visit.leave(time.monotonic_ns(), None)
        self.rooms.clear()
