"""What a player hears is counted alike whether its bytes are known or it is read strictly."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.common import Common
from loadtest.ledger import Topic
from loadtest.places import OP_CODE, ChatRoom, MatchRoom, PartyRoom, StatusRoom
from loadtest.player import Player
from loadtest.rooms import Room
from loadtest.stamp import SIZE, pack
from protocol.envelope import Envelope, Format, encode
from protocol.frames import build
from protocol.message import Message
from protocol.messages import (
    ChannelMessage,
    MatchData,
    Notification,
    Notifications,
    PartyData,
    StatusPresenceEvent,
    UserPresence,
)
from tests.support.swarm_stage import common_of, group_of, session_of, user_of

MEMBERS = 3
PLACE = "a8b5e0c2-7a31-4f6e-9d1c-1c2d3e4f5a6b."
OTHER = "b9c6f1d3-8b42-4a7f-8e2d-2d3e4f5a6b7c."
DUE_NS, SENT_NS = 5_000, 9_000
KINDS: dict[str, type[Room]] = {
    "match": MatchRoom,
    "party": PartyRoom,
    "chat": ChatRoom,
    "status": StatusRoom,
}
CASES = [(kind, form) for kind in KINDS for form in Format]


def told(kind: str, place: str, by: UserPresence, data: bytes, op_code: int = OP_CODE) -> Message:
    """As the server says that somebody said it."""
    match kind:
        case "match":
            return MatchData(match_id=place, presence=by, op_code=op_code, data=data)
        case "party":
            return PartyData(party_id=place, presence=by, op_code=op_code, data=data)
        case "chat":
            return ChannelMessage(channel_id=place, sender_id=by.user_id, content=_text(data))
        case _:
            online = UserPresence(by.user_id, by.session_id, by.username, status=_text(data))
            return StatusPresenceEvent(joins=(online,), leaves=(by,))


def _text(data: bytes) -> str:
    return f'{{"m":"{base64.b64encode(data).decode()}"}}'


class Stage:
    """Members of one place. What the first of them is sent is counted; `strict`: nothing is known."""

    def __init__(self, kind: str, form: Format, *, strict: bool) -> None:
        self.kind = kind
        self.form = form
        self.strict = strict
        self.common: Common = common_of(form)
        self.players: list[Player] = group_of(self.common, MEMBERS)
        self.topic: Topic = self.players[0].group.topic("place")
        self.rooms: list[Room] = []
        for player in self.players:
            room = KINDS[kind](player, self.topic, SIZE + 4)
            player.rooms[self.topic.number] = room
            # Of a status all followers see the same place: the first speaker's.
            place = user_of(self.players[1]) if kind == "status" else PLACE
            room.entered(place, session_of(player), user_of(player), [])
            self.rooms.append(room)
        self.said: list[bytes] = []
        """Stamp and filling of all that the others have said."""

    def say(self, member: int) -> None:
        visit = self.rooms[member].visit
        stamped = pack(self.common.run, visit.number, visit.send(), DUE_NS, SENT_NS)
        self.said.append(stamped + bytes(4))

    def payload(self, member: int, data: bytes, place: str | None = None, op_code: int = OP_CODE) -> bytes:
        by = UserPresence(user_of(self.players[member]), session_of(self.players[member]), "somebody")
        message = told(self.kind, place or self.rooms[0].place, by, data, op_code)
        return encode(Envelope(message), self.form)

    def hear(self, payload: bytes) -> None:
        if self.strict:
            for visit in self.common.ledger.visits.values():
                visit.shapes[:] = [None, None]
        socket = self.players[0].socket
        assert socket is not None
        socket.data_received(build(0x81 if self.form is Format.JSON else 0x82, payload))

    def outcome(self) -> dict[str, Any]:
        return {
            "truth": self.common.ledger.truth(),
            "errors": dict(self.common.errors),
            "counts": dict(self.common.counts),
            "state": self.players[0].socket.state if self.players[0].socket else None,
            "timed": len(self.common.timings["deliver"].take()),
        }


@dataclass(frozen=True)
class Deed:
    """What the server does with something said: tells it rightly, or spoils it in one way."""

    member: int
    which: int
    how: str
    at: int
    byte: int


HOWS = (
    *("right", "other sender", "other place", "other op code", "other run", "byte", "cut", "longer", "tail"),
    *("spaced", "again", "left"),
)
DEEDS = st.builds(
    Deed,
    member=st.integers(1, MEMBERS - 1),
    which=st.integers(0, 30),
    how=st.sampled_from(HOWS),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
)


def spoiled(stage: Stage, deed: Deed, data: bytes) -> bytes:
    """The message as it comes."""
    if deed.how == "other sender":
        return stage.payload(MEMBERS - deed.member, data)
    if deed.how == "other place":
        return stage.payload(deed.member, data, place=OTHER)
    if deed.how == "other op code":
        return stage.payload(deed.member, data, op_code=OP_CODE + 2)
    if deed.how == "other run":
        visit = stage.rooms[deed.member].visit
        return stage.payload(
            deed.member, pack(9, visit.number, max(visit.sent - 1, 0), DUE_NS, SENT_NS) + bytes(4)
        )
    payload = stage.payload(deed.member, data)
    at = deed.at % len(payload)
    ways = {
        "byte": payload[:at] + bytes([deed.byte]) + payload[at + 1 :],
        "cut": payload[:at],
        "longer": payload[:at] + bytes([deed.byte]) + payload[at:],
        "tail": payload + bytes([deed.byte]),
        "spaced": payload.replace(b'":', b'" :', 1 + at % 3),
    }
    return ways.get(deed.how, payload)


async def played(kind: str, form: Format, deeds: list[Deed], *, strict: bool) -> Iterator[dict[str, Any]]:
    stage = Stage(kind, form, strict=strict)
    outcomes = []
    for deed in deeds:
        member = 1 if kind == "status" else deed.member  # there only one speaks
        if deed.how != "again" or not stage.said:
            stage.say(member)
        data = stage.said[-1 - deed.which % len(stage.said)] if deed.how == "again" else stage.said[-1]
        if deed.how == "left" and stage.rooms[0].visit.is_in:
            stage.rooms[0].visit.leave(stage.players[0].now_ns(), {})
        stage.hear(spoiled(stage, deed, data))
        outcomes.append(stage.outcome())
    return iter(outcomes)


@pytest.mark.parametrize(("kind", "form"), CASES)
@settings(max_examples=60, deadline=None)
@given(st.lists(DEEDS, min_size=1, max_size=25))
def test_what_is_known_by_its_bytes_counts_as_if_it_were_read(
    kind: str, form: Format, deeds: list[Deed]
) -> None:
    fast = asyncio.run(played(kind, form, deeds, strict=False))
    strict = asyncio.run(played(kind, form, deeds, strict=True))

    assert list(fast) == list(strict)


@pytest.mark.parametrize(("kind", "form"), CASES)
async def test_what_is_told_rightly_is_delivered(kind: str, form: Format) -> None:
    stage = Stage(kind, form, strict=False)

    for _ in range(5):
        stage.say(1)
        stage.hear(stage.payload(1, stage.said[-1]))

    truth = stage.common.ledger.truth()
    assert (truth.delivered, sum(truth.faults().values()) - truth.lost) == (5, 0)
    assert stage.outcome()["timed"] == 1


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda stage: stage.payload(2, stage.said[-1]), "corrupt"),
        (lambda stage: stage.payload(1, stage.said[-1], place=OTHER), "misdelivered"),
        (lambda stage: stage.payload(1, stage.said[-1][:-1] + b"x"), "corrupt"),
        (lambda stage: stage.payload(1, b"x" * (SIZE + 4)), "corrupt"),
        (lambda stage: stage.payload(1, stage.said[-1], op_code=OP_CODE + 2), "corrupt"),
        (lambda stage: stage.payload(1, stage.said[-2]), "duplicated"),
    ],
    ids=["sender", "place", "filling", "no-stamp", "op-code", "twice"],
)
@pytest.mark.parametrize("form", Format)
async def test_each_spoiled_message_is_counted_under_its_fault(
    spoil: Callable[[Stage], bytes], fault: str, form: Format
) -> None:
    stage = Stage("match", form, strict=False)
    for _ in range(2):
        stage.say(1)
        stage.hear(stage.payload(1, stage.said[-1]))
    stage.say(1)

    stage.hear(spoil(stage))

    faults = stage.common.ledger.truth().faults()
    assert {name: count for name, count in faults.items() if count and name != "lost"} == {fault: 1}


async def test_a_known_frame_is_not_decoded_unless_somebody_listens() -> None:
    stage = Stage("match", Format.JSON, strict=False)
    known, heard = 0, list[Message]()
    ear, socket = stage.players[0].ear, stage.players[0].socket
    assert socket is not None
    for _ in range(3):
        stage.say(1)
        payload = stage.payload(1, stage.said[-1])
        if ear.on_frame(socket, payload, 0, len(payload), SENT_NS):
            known += 1
        else:
            stage.hear(payload)

    with stage.players[0].hearing(MatchData, lambda message, _at: heard.append(message)):
        for _ in range(3):
            stage.say(1)
            stage.hear(stage.payload(1, stage.said[-1]))

    assert known == 2
    assert len(heard) == 3


async def test_a_message_of_another_run_is_for_somebody_else() -> None:
    stage = Stage("match", Format.JSON, strict=False)

    stage.hear(stage.payload(1, pack(2, 1, 0, DUE_NS, SENT_NS) + bytes(4)))

    assert stage.common.ledger.misdelivered == 1


async def test_what_is_said_to_who_is_nowhere_is_for_somebody_else() -> None:
    stage = Stage("match", Format.JSON, strict=False)
    stage.players[0].rooms.clear()
    stage.say(1)

    stage.hear(stage.payload(1, stage.said[-1]))

    assert stage.common.ledger.misdelivered == 1


async def test_who_has_gone_may_hear_what_was_under_way() -> None:
    stage = Stage("match", Format.JSON, strict=False)
    stage.players[0].ear.has_been_in = True
    stage.players[0].rooms.clear()
    stage.say(1)

    stage.hear(stage.payload(1, stage.said[-1]))

    assert stage.common.ledger.misdelivered == 0


async def test_who_is_told_of_a_gap_is_owed_nothing_from_before() -> None:
    stage = Stage("match", Format.JSON, strict=False)
    stage.say(1)

    stage.hear(encode(Envelope(Notifications((Notification(code=-1003),)))))

    assert stage.common.counts["told_of_a_gap"] == 1
    assert stage.rooms[0].visit.lacking(stage.rooms[0].visit.marks()) == 0
