"""Faults in what members of a match, a party or a channel get: what was said, and the news of who is there.

The seam is `Outbox.put`, where each delivery to each receiver passes, encoded and with the message it holds.
An occasion is one delivery of match data, party data or a chat message to one receiver, unless a fault says
otherwise.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import msgspec

from protocol.envelope import Envelope, Format, frame
from protocol.message import Message
from protocol.messages import (
    ChannelMessage,
    ChannelPresenceEvent,
    MatchData,
    MatchPresenceEvent,
    PartyData,
    PartyPresenceEvent,
)
from server.core.live_match import live_stream
from server.effects import Deliver, Stream
from server.perform import Performer
from server.sessions.backlog import Content
from server.sessions.outbox import Outbox
from server.sessions.session import Session
from server.transport.websocket import WebSocket
from tests.support.faults import Fault, Planting

WAIT_FOR_NEXT_S: Final = 0.5
"""A message that is to come behind its successor waits for it so long, then it comes in order."""

Said = MatchData | PartyData | ChannelMessage
News = MatchPresenceEvent | PartyPresenceEvent | ChannelPresenceEvent
Put = Callable[[Outbox, bytes, Content, str], None]


class Delivery(NamedTuple):
    """What was said and is about to be queued for one receiver. Until `go` is called, it is not."""

    put: Put
    outbox: Outbox
    whole: bytes
    said: Said
    latest_key: str

    @property
    def form(self) -> Format:
        return self.outbox._form

    def go(self) -> None:
        self.put(self.outbox, self.whole, self.said, self.latest_key)

    def say(self, message: Message) -> None:
        """Queue something else for the same receiver."""
        self.put(self.outbox, frame(Envelope(message), self.form), message, "")


def deliver(fault: Fault, delivery: Delivery) -> None:
    """Do nothing wrong, but count."""
    fault.seen += 1
    delivery.go()


def drop(fault: Fault, delivery: Delivery) -> None:
    """Do not send it."""
    if not fault.strikes():
        delivery.go()


def duplicate(fault: Fault, delivery: Delivery) -> None:
    """Send it twice."""
    delivery.go()
    if fault.strikes():
        delivery.go()


def corrupt(fault: Fault, delivery: Delivery) -> None:
    """Change one byte of what was said: the first, next time the second, and so on, round and round.

    Without a byte it is no occasion.
    """
    said = delivery.said
    data = said.content.encode() if isinstance(said, ChannelMessage) else said.data
    if not data or not fault.strikes():
        delivery.go()
        return
    at = (fault.struck - 1) % len(data)
    changed = data[:at] + bytes((data[at] ^ 0x01,)) + data[at + 1 :]
    if isinstance(said, ChannelMessage):
        delivery.say(msgspec.structs.replace(said, content=changed.decode(errors="replace")))
    else:
        delivery.say(msgspec.structs.replace(said, data=changed))


def misdirect(fault: Fault, delivery: Delivery) -> None:
    """Give it to a session that is not in the place, and not to the one it is for."""
    if not _astray(fault, delivery):
        delivery.go()


def leak(fault: Fault, delivery: Delivery) -> None:
    """Give it to a session that is not in the place, too."""
    delivery.go()
    _astray(fault, delivery)


def _astray(fault: Fault, delivery: Delivery) -> bool:
    """Whether a stranger got it; with all sessions in the place there is none, and nothing is wrong."""
    stranger = _stranger(fault, delivery.said) if fault.chooses() else None
    if stranger is None:
        return False
    fault.note_strike()
    delivery._replace(outbox=stranger.outbox).say(delivery.said)
    return True


def _stranger(fault: Fault, said: Said) -> Session | None:
    world, sessions, stream = fault.server.world, fault.server._registry.by_id, fault.delivers_to
    if isinstance(said, MatchData):  # it may be for named members only
        stream = live_stream(said.match_id) or world.matches.stream_of(said.match_id)
    if not isinstance(stream, Stream):
        return None
    members = world.presences.members(stream)
    return next((each for each in sessions.values() if each.session_id not in members), None)


def presence_ghost(fault: Fault, delivery: Delivery) -> None:
    """Tell the receiver behind the message that its sender, who stays, has left the match or party.

    Chat does not tell a sender's presence, so it is no occasion.
    """
    delivery.go()
    said = delivery.said
    if isinstance(said, ChannelMessage) or said.presence is None or not fault.strikes():
        return
    leaves = (said.presence,)
    if isinstance(said, MatchData):
        delivery.say(MatchPresenceEvent(match_id=said.match_id, leaves=leaves))
    else:
        delivery.say(PartyPresenceEvent(party_id=said.party_id, leaves=leaves))


def crash(fault: Fault, delivery: Delivery) -> None:
    """Die of signal 9 in place of the delivery."""
    if fault.strikes():
        fault.report()
        os.kill(os.getpid(), signal.SIGKILL)
    delivery.go()


def on_said(act: Callable[[Fault, Delivery], None], fault: Fault, planting: Planting) -> None:
    """Let `act` decide about each delivery of what was said."""
    put, deliver_all = Outbox.put, Performer._deliver

    def delivering(performer: Performer, effect: Deliver) -> None:
        fault.delivers_to = effect.to
        deliver_all(performer, effect)

    def putting(outbox: Outbox, whole: bytes, content: Content = None, latest_key: str = "") -> None:
        if isinstance(content, Said):
            act(fault, Delivery(put, outbox, whole, content, latest_key))
        else:
            put(outbox, whole, content, latest_key)

    planting.wrap(Performer, "_deliver", delivering)
    planting.wrap(Outbox, "put", putting)


def presence_lost(fault: Fault, planting: Planting) -> None:
    """Do not tell one member that another joined or left.

    An occasion is such an event for one member, but not that of one's own joining: the answer tells it too.
    """
    put = Outbox.put

    def putting(outbox: Outbox, whole: bytes, content: Content = None, latest_key: str = "") -> None:
        news = isinstance(content, News) and not any(each.session_id == outbox.name for each in content.joins)
        if not (news and fault.strikes()):
            put(outbox, whole, content, latest_key)

    planting.wrap(Outbox, "put", putting)


class _Held(NamedTuple):
    delivery: Delivery
    overdue: asyncio.TimerHandle


def reorder(fault: Fault, planting: Planting) -> None:
    """Hold a message back until its receiver has the next one of the same sender and place.

    It strikes when that comes. Nothing is lost: whatever else is said to the receiver, an end or a time of
    silence lets the message go first, in order.
    """
    held: dict[Outbox, _Held] = {}

    def let_go(outbox: Outbox) -> None:
        if (waiting := held.pop(outbox, None)) is not None:
            waiting.overdue.cancel()
            waiting.delivery.go()

    def decide(fault: Fault, delivery: Delivery) -> None:
        outbox = delivery.outbox
        waiting = held.get(outbox)
        chosen = fault.chooses()
        if waiting is not None and _thread(waiting.delivery.said) == _thread(delivery.said):
            delivery.go()
            fault.note_strike()
            let_go(outbox)
        elif waiting is None and chosen:
            later = asyncio.get_running_loop().call_later(WAIT_FOR_NEXT_S, let_go, outbox)
            held[outbox] = _Held(delivery, later)
        else:
            delivery.go()

    _let_go_before_others(let_go, planting)
    on_said(decide, fault, planting)


def _thread(said: Said) -> tuple[str, str]:
    """Place and sender, within which there is an order."""
    if isinstance(said, ChannelMessage):
        return said.channel_id, said.sender_id
    place = said.match_id if isinstance(said, MatchData) else said.party_id
    return place, "" if said.presence is None else said.presence.session_id


def _let_go_before_others(let_go: Callable[[Outbox], None], planting: Planting) -> None:
    """Call `let_go` before anything but what was said is queued, or written past the queue."""
    put, answer = Outbox.put, WebSocket.answer

    def putting(outbox: Outbox, whole: bytes, content: Content = None, latest_key: str = "") -> None:
        if not isinstance(content, Said):
            let_go(outbox)
        put(outbox, whole, content, latest_key)

    def answering(socket: WebSocket, whole: bytes) -> None:
        if isinstance(socket._listener, Session):
            let_go(socket._listener.outbox)
        answer(socket, whole)

    planting.wrap(Outbox, "put", putting)
    planting.wrap(WebSocket, "answer", answering)


PLANTED: Final[dict[str, Callable[[Fault, Planting], None]]] = {
    "none": partial(on_said, deliver),
    "drop": partial(on_said, drop),
    "duplicate": partial(on_said, duplicate),
    "reorder": reorder,
    "misdirect": partial(on_said, misdirect),
    "leak": partial(on_said, leak),
    "corrupt": partial(on_said, corrupt),
    "presence_lost": presence_lost,
    "presence_ghost": partial(on_said, presence_ghost),
    "crash": partial(on_said, crash),
}
