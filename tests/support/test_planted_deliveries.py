"""Each fault of deliveries does what it says and nothing else, as plain clients of the real server see it."""

import asyncio
import base64
from pathlib import Path

import pytest

from protocol.envelope import Envelope, Format, decode_server, frame
from protocol.messages import MatchData
from server.sessions.outbox import Outbox
from server.sessions.slow_receivers import SlowReceivers
from tests.support import planted_deliveries
from tests.support.faulty_server import planted
from tests.support.players import ALICE, BOB
from tests.support.talking import faulty, hang_up, heard, room, said, speak

SAID = 12


@pytest.mark.parametrize(
    ("text", "struck_times", "expected"),
    [
        ("none", 0, "00 01 02 03 04 05 06 07 08 09 10 11"),
        ("drop:5", 2, "00 01 02 03 05 06 07 08 10 11"),
        ("drop:5:4", 1, "00 01 02 03 04 05 06 07 09 10 11"),
        ("duplicate:5", 2, "00 01 02 03 04 04 05 06 07 08 09 09 10 11"),
        ("reorder:5", 2, "00 01 02 03 05 04 06 07 08 10 09 11"),
        ("reorder:12", 0, "00 01 02 03 04 05 06 07 08 09 10 11"),  # nothing comes behind it but the pong
        ("corrupt:5", 2, "00 01 02 03 14 05 06 07 08 08 10 11"),
        (
            "presence_ghost:5",
            2,
            "00 01 02 03 04 left 05 06 07 08 09 left 10 11",
        ),
        ("misdirect:5", 0, "00 01 02 03 04 05 06 07 08 09 10 11"),
        ("late:5", 1, "00 01 02 03 04 05 06 07 08 09 10 11"),
        ("presence_lost:5", 0, "00 01 02 03 04 05 06 07 08 09 10 11"),
    ],
)
async def test_a_receiver_gets_what_the_fault_leaves(
    tmp_path: Path, text: str, struck_times: int, expected: str
) -> None:
    async with faulty(tmp_path, text) as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        speak(ann, match_id, range(SAID))

        assert await heard(ann, bob) == expected.split()
        assert fault.struck == struck_times
        await hang_up(ann, bob)


async def test_the_last_message_comes_although_it_waited_for_a_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted_deliveries, "WAIT_FOR_NEXT_S", 0.01)
    async with faulty(tmp_path, "reorder:4") as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        speak(ann, match_id, range(4))

        async with asyncio.timeout(5):  # a ping of the server's would let it go too, but later
            assert [said(await bob.hear()) for _ in range(4)] == ["00", "01", "02", "03"]
        assert fault.struck == 0
        await hang_up(ann, bob)


async def test_the_last_message_of_one_who_leaves_comes_before_the_leave(tmp_path: Path) -> None:
    async with faulty(tmp_path, "reorder:4") as (_, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        speak(ann, match_id, range(4))
        ann.say(match_leave={"match_id": match_id})

        assert [said(await bob.hear()) for _ in range(5)] == ["00", "01", "02", "03", "left"]
        await hang_up(ann, bob)


@pytest.mark.parametrize(
    ("text", "received"),
    [("misdirect:5", "00 01 02 03 05 06 07 08 10 11"), ("leak:5", "00 01 02 03 04 05 06 07 08 09 10 11")],
)
async def test_a_stranger_gets_what_is_not_for_them(tmp_path: Path, text: str, received: str) -> None:
    async with faulty(tmp_path, text) as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")
        stranger = await live.connect("eve")

        speak(ann, match_id, range(SAID))

        assert await heard(ann, bob) == received.split()
        assert await heard(ann, stranger) == ["04", "09"]
        assert fault.struck == 2
        await hang_up(ann, bob, stranger)


@pytest.mark.parametrize(
    ("text", "expected", "stray"),
    [
        ("none", "10 11 12 13", ""),
        ("drop:3", "10 11 13", ""),
        ("duplicate:3", "10 11 12 12 13", ""),
        ("reorder:3", "10 11 13 12", ""),
        ("corrupt:3", "10 11 02 13", ""),
        ("misdirect:3", "10 11 13", "12"),
        ("leak:3", "10 11 12 13", "12"),
        ("presence_ghost:3", "10 11 12 left 13", ""),
    ],
)
async def test_what_is_said_in_a_party_is_struck_too(
    tmp_path: Path, text: str, expected: str, stray: str
) -> None:
    async with faulty(tmp_path, text) as (_, live):
        ann, bob, eve = [await live.connect(name) for name in ("ann", "bob", "eve")]
        ann.say(party_create={"open": True, "max_size": 4})
        party_id = (await ann.hear())["party"]["party_id"]
        bob.say(party_join={"party_id": party_id})
        await bob.heard_until_pong("1")
        await ann.heard_until_pong("1")

        for number in range(10, 14):
            data = base64.b64encode(str(number).encode()).decode()
            ann.say(party_data_send={"party_id": party_id, "op_code": "1", "data": data})
        assert await ann.heard_until_pong("2") == [{}] * 4

        assert await heard(ann, bob) == expected.split()
        assert await heard(ann, eve) == stray.split()
        await hang_up(ann, bob, eve)


@pytest.mark.parametrize(
    ("text", "expected", "stray"),
    [
        ("none", "10 11 12", ""),
        # Speakers hear themselves, so each message is two occasions, and the second is bob's.
        ("drop:4", "10 12", ""),
        ("duplicate:4", "10 11 11 12", ""),
        ("reorder:4", "10 12 11", ""),
        ("corrupt:4", '10 z"n":11 12', ""),
        ("misdirect:4", "10 12", "11"),
        ("leak:4", "10 11 12", "11"),
        ("presence_ghost:4", "10 11 12", ""),
    ],
)
async def test_what_is_said_in_a_channel_is_struck_too(
    tmp_path: Path, text: str, expected: str, stray: str
) -> None:
    async with faulty(tmp_path, text) as (_, live):
        ann, bob, eve = [await live.connect(name) for name in ("ann", "bob", "eve")]
        for socket in (ann, bob):
            socket.say(channel_join={"type": 1, "target": "hall", "persistence": False})
            assert "channel" in await socket.hear()
            await socket.heard_until_pong("1")
        await ann.heard_until_pong("1")

        for number in range(10, 13):
            ann.say(channel_message_send={"channel_id": "2...hall", "content": f'{{"n":{number}}}'})
        await ann.heard_until_pong("2")

        assert await heard(ann, bob) == expected.split()
        assert await heard(ann, eve) == stray.split()
        await hang_up(ann, bob, eve)


async def test_of_many_receivers_each_is_struck_in_turn(tmp_path: Path) -> None:
    async with faulty(tmp_path, "drop:4") as (fault, live):
        match_id, (ann, *others) = await room(live, "ann", "bob", "cat", "dan")

        speak(ann, match_id, range(4))

        got = [await heard(ann, each) for each in others]
        assert got == [["00", "02", "03"], ["00", "01", "03"], ["00", "01", "02"]]
        assert (fault.seen, fault.struck) == (12, 3)
        await hang_up(ann, *others)


async def test_one_member_is_not_told_who_joins_or_leaves(tmp_path: Path) -> None:
    async with faulty(tmp_path, "presence_lost:3") as (fault, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")  # one occasion: ann hears of bob

        cat = await live.connect("cat")
        cat.say(match_join={"match_id": match_id})  # two: ann hears of it, bob does not
        assert [said(each) for each in await cat.heard_until_pong("1")] == ["match", "match_presence_event"]
        assert [said(each) for each in await ann.heard_until_pong("1")] == ["match_presence_event"]
        assert await bob.heard_until_pong("1") == []
        cat.say(match_leave={"match_id": match_id})
        assert await cat.heard_until_pong("2") == [{}]

        assert [said(each) for each in await ann.heard_until_pong("2")] == ["left"]
        assert [said(each) for each in await bob.heard_until_pong("2")] == ["left"]
        assert (fault.seen, fault.struck) == (5, 1)
        await hang_up(ann, bob, cat)


async def test_a_ghost_leaves_and_goes_on_speaking(tmp_path: Path) -> None:
    async with faulty(tmp_path, "presence_ghost:1") as (_, live):
        match_id, (ann, bob) = await room(live, "ann", "bob")

        speak(ann, match_id, range(2))

        assert await ann.heard_until_pong("1") == []
        data, news, *more = await bob.heard_until_pong("1")
        assert news["match_presence_event"] == {
            "match_id": match_id,
            "leaves": [data["match_data"]["presence"]],
        }
        assert [said(each) for each in more] == ["01", "left"]
        await hang_up(ann, bob)


class Written:
    """The writer of an outbox, which keeps the frames."""

    buffered = 0

    def wake(self) -> None: ...
    def flush(self) -> None: ...


async def test_protobuf_is_corrupted_within_its_data_only() -> None:
    data = MatchData(match_id="m", presence=ALICE, op_code=7, data=b"\x00\x10")
    with planted("corrupt:1"):
        outbox = Outbox(
            BOB.session_id, Format.PROTOBUF, 1 << 20, SlowReceivers(max_age_s=1, max_bytes=1 << 20)
        )
        outbox.attach(Written(), lambda _cause: True)
        for _ in range(3):
            outbox.put(frame(Envelope(data), Format.PROTOBUF), data)

    read = [decode_server(whole[2:], Format.PROTOBUF).message for whole in outbox.take()]
    assert [each.data for each in read if isinstance(each, MatchData)] == [
        b"\x01\x10",
        b"\x00\x11",
        b"\x01\x10",
    ]
    assert {each.presence for each in read if isinstance(each, MatchData)} == {ALICE}
