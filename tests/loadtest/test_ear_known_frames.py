"""Frames that are known teach and hide nothing, whatever a server sends between them; see `test_ear.py`."""

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest import stamp
from loadtest.ear import Ear
from loadtest.places import OP_CODE, OP_CODE_ALONE
from loadtest.rooms import Room
from protocol.envelope import Envelope, Format, decode_server, encode
from protocol.message import Message
from protocol.messages import (
    MatchData,
    MatchPresenceEvent,
    PartyData,
    StatusPresenceEvent,
    UserPresence,
)
from tests.support.swarm_players import RUN, match_room, party_room, players, seat, status_room
from tests.support.swarm_stage import common_of

PLACE, ELSEWHERE = "11111111-0000-4000-8000-000000000000.", "22222222-0000-4000-8000-000000000000."
KINDS: dict[str, Callable[[Any], Room]] = {"match": match_room, "party": party_room, "status": status_room}


@dataclass
class Says:
    """One message that arrives, and what is wrong about it."""

    by: int = 1
    wrong: str = ""
    at: int = 0
    byte: int = 0
    noise: bytes = field(default=b"", repr=False)


class Table:
    """The first of three players listens to the others."""

    def __init__(self, kind: str, form: Format) -> None:
        self.kind, self.form = kind, form
        self.common = common_of(form, ramp_s=0.0, warm_up_s=0.0)
        self.players = players(self.common, 3)
        self.place = "user-1" if kind == "status" else PLACE
        self.rooms = [seat(player, KINDS[kind], self.place) for player in self.players]
        self.ear: Ear = self.players[0].ear
        self.decoded = 0

    def hear(self, payload: bytes) -> str:
        """As a socket hands it over. What became of it."""
        socket = self.players[0].socket
        assert socket is not None
        if self.ear.on_frame(socket, payload, 0, len(payload), 5_000_000):
            return "heard"
        self.decoded += 1
        try:
            envelope = decode_server(payload, self.form)
        except ValueError:
            return "malformed"
        if envelope.message is not None:
            self.ear.on_message(socket, envelope.message, 5_000_000)
        return "heard"

    def message(self, sender: int, packed: bytes, *, place: str = "", op_code: int = OP_CODE) -> Message:
        place = place or self.place
        room = self.rooms[sender]
        by = UserPresence(
            user_id=f"user-{sender}", session_id=room.visit.session_id or f"s-{sender}", username="somebody"
        )
        data = packed + bytes(18)
        if self.kind == "match":
            return MatchData(match_id=place, presence=by, op_code=op_code, data=data)
        if self.kind == "party":
            return PartyData(party_id=place, presence=by, op_code=op_code, data=data)
        # The place is who speaks.
        content = json.dumps({"m": b64encode(packed).decode()}, separators=(",", ":"))
        by = UserPresence(user_id=place, session_id="s", username="somebody", status=content)
        return StatusPresenceEvent(joins=(by,))

    def pack(self, sender: int, number: int, run: int = RUN) -> bytes:
        return stamp.pack(run, self.rooms[sender].visit.number, number, 1_000_000, 2_000_000)

    def frame(self, says: Says, number: int) -> bytes:
        """Wrong in the way that is asked for."""
        packed = self.pack(says.by, number)
        message = self.message(says.by, packed)
        match says.wrong:
            case "unsent":
                message = self.message(says.by, self.pack(says.by, number + 1))
            case "again":
                message = self.message(says.by, self.pack(says.by, max(number - 1, 0)))
            case "other run":
                message = self.message(says.by, self.pack(says.by, number, RUN + 1))
            case "unknown visit":
                message = self.message(says.by, stamp.pack(RUN, 77, number, 1_000_000, 2_000_000))
            case "another sender":
                message = self.message(3 - says.by, packed)
            case "another place":
                message = self.message(says.by, packed, place=ELSEWHERE)
            case "another op code":
                message = self.message(says.by, packed, op_code=OP_CODE_ALONE)
            case "a cid":
                return encode(Envelope(message, "17"), self.form)
            case _:
                pass
        payload = encode(Envelope(message), self.form)
        return self._bent(payload, says, packed)

    def _bent(self, payload: bytes, says: Says, packed: bytes) -> bytes:
        at = says.at % (len(payload) + 1)
        mark = payload.find(stamp.MARK_TEXT)
        match says.wrong:
            case "a byte":
                return payload[:at] + bytes([says.byte]) + payload[at + 1 :]
            case "a byte more":
                return payload[:at] + bytes([says.byte]) + payload[at:]
            case "a byte less":
                return payload[:at] + payload[at + 1 :]
            case "cut off":
                return payload[:at]
            case "noise":
                return says.noise
            case "noise in front":
                return says.noise + payload
            case "twice":
                return payload + payload
            case "an escape" if mark >= 0:
                return payload[:mark] + b"\\u0054" + payload[mark + 1 :]
            case "an unknown field":
                return payload[:-1] + b',"x":[1]}' if self.form is Format.JSON else payload + b"\xf8\x3f\x01"
            case "other order" if self.form is Format.JSON:
                tree = json.loads(payload)
                ((name_, body),) = tree.items()
                return json.dumps({name_: dict(reversed(body.items()))}, separators=(",", ":")).encode()
            case "spaces" if self.form is Format.JSON:
                return json.dumps(json.loads(payload)).encode()
            case "other base64" if self.form is Format.JSON:
                return payload.replace(b"=", b"") if says.at % 2 else payload.replace(b"/", b"_")
        return payload


WRONGS = (
    *("unsent", "again", "other run", "unknown visit", "another sender", "another place", "another op code"),
    *("a cid", "a byte", "a byte more", "a byte less", "cut off", "noise", "noise in front", "twice"),
    *("an escape", "an unknown field", "other order", "spaces", "other base64"),
)
NOISE = st.lists(
    st.sampled_from([stamp.MARK, stamp.MARK_TEXT, b'{"match_data":', b"\x00", b'"', b"}", b"\x0a\x01"]),
    max_size=6,
).map(b"".join) | st.binary(max_size=60)
SAYS = st.builds(
    Says,
    by=st.sampled_from([1, 2]),
    wrong=st.just("") | st.sampled_from(WRONGS),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
    noise=NOISE,
)


async def fates(kind: str, form: Format, said: list[Says], *, strict: bool) -> tuple[list[Any], int]:
    """What became of each message, with the counts so far; and how many were decoded."""
    table = Table(kind, form)
    found: list[Any] = []
    carriers = (MatchData, PartyData, StatusPresenceEvent)
    listening = [table.ear.hearing(each, lambda _message, _at: None) for each in carriers if strict]
    for each in listening:
        each.__enter__()
    for says in said:
        visit = table.rooms[says.by].visit
        number = visit.sent if says.wrong == "unsent" and visit.sent else visit.send()
        fate = table.hear(table.frame(says, number - (says.wrong == "unsent" and number == visit.sent)))
        found.append((fate, table.common.ledger.truth()))
    for each in reversed(listening):
        each.__exit__(None, None, None)
    found.append(await table.common.timings.take())
    found.append([(room.visit._heard, room.visit._gaps) for room in table.rooms])
    return found, table.decoded


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(said=st.lists(SAYS, min_size=2, max_size=12))
async def test_known_frames_are_counted_as_if_they_were_decoded(
    kind: str, form: Format, said: list[Says]
) -> None:
    fast, _ = await fates(kind, form, [Says(by=1), Says(by=2), *said], strict=False)
    strict, _ = await fates(kind, form, [Says(by=1), Says(by=2), *said], strict=True)

    assert fast == strict


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrong", WRONGS)
async def test_each_wrong_is_counted_the_same_and_taught_nothing(kind: str, form: Format, wrong: str) -> None:
    said = [Says(), Says(wrong=wrong, at=30), Says(), Says(wrong=wrong, at=31, byte=65), Says(), Says()]

    fast, _ = await fates(kind, form, said, strict=False)
    strict, _ = await fates(kind, form, said, strict=True)

    assert fast == strict


@pytest.mark.parametrize("form", Format, ids=lambda form: form.name)
@pytest.mark.parametrize("kind", KINDS)
async def test_only_the_first_of_each_sender_is_decoded(kind: str, form: Format) -> None:
    found, decoded = await fates(kind, form, [Says(by=1)] * 20, strict=False)

    assert decoded == 1
    assert found[19][1].delivered == 20


@pytest.mark.parametrize(
    ("wrong", "counter"),
    [
        ("another sender", "corrupt"),
        ("another op code", "corrupt"),
        ("unsent", "corrupt"),
        ("unknown visit", "corrupt"),
        ("another place", "misdelivered"),
        ("other run", "misdelivered"),
        ("again", "duplicated"),
    ],
)
@pytest.mark.parametrize("form", Format, ids=lambda form: form.name)
async def test_each_wrong_has_its_name(form: Format, wrong: str, counter: str) -> None:
    said = [Says(), Says(), Says(wrong=wrong)]

    found, _ = await fates("match", form, said, strict=False)

    truth = found[2][1]
    assert getattr(truth, counter) == 1
    assert truth.delivered == 2


async def test_a_place_that_was_left_is_no_place_of_those_who_met_anew() -> None:
    table = Table("match", Format.JSON)
    sender = table.rooms[1].visit
    for _ in range(2):
        table.hear(table.frame(Says(), sender.send()))
    table.rooms[0].place = ELSEWHERE

    table.hear(table.frame(Says(), sender.send()))

    assert table.common.ledger.misdelivered == 1


async def test_an_escaped_mark_does_not_teach_the_frame_before_it() -> None:
    table = Table("match", Format.JSON)
    sender = table.rooms[1].visit
    forged = Says(wrong="another sender")
    table.hear(table.frame(forged, sender.send()))
    table.hear(table.frame(Says(wrong="an escape"), sender.send()))

    table.hear(table.frame(forged, sender.send()))

    assert table.common.ledger.corrupt == 2


async def test_a_stamp_that_is_not_the_one_that_counts_is_not_taught() -> None:
    table = Table("match", Format.JSON)
    sender = table.rooms[1].visit

    def doubled(first: int, last: int) -> bytes:
        texts = [b64encode(table.pack(1, number) + bytes(18)) for number in (first, last)]
        plain = encode(Envelope(table.message(1, table.pack(1, last))), Format.JSON)
        return plain.replace(b'"data":"' + texts[1], b'"data":"' + texts[0] + b'","data":"' + texts[1])

    for _ in range(4):
        sender.send()
    table.hear(doubled(0, 0))
    table.hear(doubled(1, 0))

    assert table.common.ledger.delivered == 1
    assert table.common.ledger.duplicated == 1


async def test_who_listens_hears_every_message_and_is_rid_of_them_afterwards() -> None:
    table, heard = Table("match", Format.JSON), []
    sender = table.rooms[1].visit
    table.hear(table.frame(Says(), sender.send()))

    with table.ear.hearing(MatchData, lambda message, _at: heard.append(message)):
        for _ in range(3):
            table.hear(table.frame(Says(), sender.send()))
    table.hear(table.frame(Says(), sender.send()))

    assert len(heard) == 3
    assert table.decoded == 4
    assert table.common.ledger.delivered == 5


async def test_listening_to_something_else_costs_nothing() -> None:
    table = Table("match", Format.JSON)
    sender = table.rooms[1].visit

    with table.ear.hearing(MatchPresenceEvent, lambda _message, _at: None):
        for _ in range(3):
            table.hear(table.frame(Says(), sender.send()))

    assert table.decoded == 1
