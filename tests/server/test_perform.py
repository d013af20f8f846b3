"""Effects carried out: order, fan-out, and requests that wait."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from protocol.close import CloseReason
from protocol.envelope import Envelope, Format, encode
from protocol.frames import FIN_BINARY, FIN_TEXT
from protocol.messages import Pong, StatusPresenceEvent, UserPresence
from server.effects import Deliver, Disconnect, Record, Reply, Stream
from server.sessions.allowance import PATIENCE, Rates
from server.sessions.session import SessionState
from tests.support.clock import ManualClock
from tests.support.players import ALICE, BOB, CAROL, NEW_ID
from tests.support.seats import Table
from tests.support.transport import masked
from tests.support.world import Known, KnownUsers, empty_world

ROOM = Stream(5, NEW_ID)


class SlowUsers(KnownUsers):
    """Answers when `ready` is set."""

    def __init__(self) -> None:
        super().__init__({BOB.user_id: "bob"})
        self.ready = asyncio.Event()

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> Sequence[Known]:
        await self.ready.wait()
        return await super().find_users(ids, usernames)


async def settled(table: Table) -> None:
    """Wait until no request is under way."""
    await asyncio.wait_for(table.tasks.idle(), timeout=5)
    table.turn()


def test_a_reply_goes_before_the_events_it_causes() -> None:
    table = Table()
    alice = table.seat(ALICE)

    alice.say({"cid": "1", "match_create": {}})

    assert [next(iter(message.keys() - {"cid"})) for message in alice.heard()] == [
        "match",
        "match_presence_event",
    ]


def test_a_heartbeat_is_answered_without_the_router() -> None:
    table = Table()
    alice = table.seat(ALICE)

    alice.socket.data_received(masked(FIN_TEXT, b'{"cid":"9","ping":{}}'))

    assert alice.heard() == [{"cid": "9", "pong": {}}]
    assert table.performer.heartbeats == 1
    assert not table.router.handled


def test_a_message_reaches_a_stream_but_for_the_one_skipped() -> None:
    table = Table()
    seats = [table.seat(player) for player in (ALICE, BOB, CAROL)]
    for player in (ALICE, BOB, CAROL):
        table.world.presences.track(ROOM, player)

    table.performer.perform([Deliver(ROOM, Pong(), skip=BOB.session_id)])

    assert [seat.heard() for seat in seats] == [[{"pong": {}}], [], [{"pong": {}}]]
    assert table.performer.delivered == 2


def test_a_receiver_that_is_gone_is_passed_over() -> None:
    table = Table()
    alice = table.seat(ALICE)

    table.performer.perform([Deliver((BOB.session_id, ALICE.session_id), Pong())])

    assert alice.heard() == [{"pong": {}}]


def test_one_encoding_is_shared_by_all_receivers() -> None:
    table = Table()
    seats = [table.seat(player) for player in (ALICE, BOB)]

    table.performer.perform([Deliver((ALICE.session_id, BOB.session_id), Pong())])

    first, second = (seat.session.outbox.take()[0] for seat in seats)
    assert first is second


def test_a_protobuf_heartbeat_is_answered_without_the_router() -> None:
    table = Table()
    alice = table.seat(ALICE, form=Format.PROTOBUF)

    alice.socket.data_received(masked(FIN_BINARY, bytes.fromhex("0a0139820200")))

    assert alice.heard() == [{"cid": "9", "pong": {}}]
    assert table.performer.heartbeats == 1
    assert not table.router.handled


@pytest.mark.parametrize(
    ("formats", "encoded"),
    [
        ([Format.JSON, Format.JSON, Format.JSON], [Format.JSON]),
        ([Format.PROTOBUF, Format.PROTOBUF], [Format.PROTOBUF]),
        ([Format.JSON, Format.PROTOBUF, Format.JSON, Format.PROTOBUF], [Format.JSON, Format.PROTOBUF]),
        ([], []),
    ],
)
def test_a_message_is_encoded_once_for_each_format_that_is_heard(
    monkeypatch: pytest.MonkeyPatch, formats: list[Format], encoded: list[Format]
) -> None:
    table = Table(single_socket=False)
    seats = [
        table.seat(UserPresence(user_id=f"u{number}", session_id=f"s{number}"), form=form)
        for number, form in enumerate(formats)
    ]
    seen: list[Format] = []

    def counting(envelope: Envelope, form: Format) -> bytes:
        seen.append(form)
        return encode(envelope, form)

    monkeypatch.setattr("protocol.envelope.encode", counting)
    to = tuple(seat.session.session_id for seat in seats)
    table.performer.perform([Deliver(to, StatusPresenceEvent(joins=(ALICE,)))])

    assert seen == encoded
    for seat in seats:
        (heard,) = seat.heard()
        assert heard["status_presence_event"]["joins"][0]["username"] == "alice"
    assert table.performer.delivered == len(formats)


def test_players_of_both_formats_share_a_match_and_their_status() -> None:
    table = Table()
    alice = table.seat(ALICE, form=Format.PROTOBUF)
    bob = table.seat(BOB)

    alice.say({"cid": "1", "match_create": {}})
    match_id = alice.heard()[0]["match"]["match_id"]
    bob.say({"cid": "1", "match_join": {"match_id": match_id}})
    told = [next(iter(message.keys() - {"cid"})) for message in bob.heard()]
    bob_joins = {"user_id": BOB.user_id, "session_id": BOB.session_id, "username": "bob"}
    assert told == ["match", "match_presence_event"]
    assert alice.heard()[-1] == {"match_presence_event": {"match_id": match_id, "joins": [bob_joins]}}

    sent = {"match_id": match_id, "op_code": "-5", "data": "AP8=", "reliable": True}
    alice.say({"match_data_send": sent})
    bob.say({"match_data_send": sent})

    sender = {"user_id": ALICE.user_id, "session_id": ALICE.session_id, "username": "alice"}
    assert bob.heard() == [{"match_data": {**sent, "presence": sender}}]
    assert alice.heard() == [{"match_data": {**sent, "presence": bob_joins}}]


async def test_a_status_is_followed_across_formats() -> None:
    table = Table(empty_world(KnownUsers({BOB.user_id: "bob"})))
    alice = table.seat(ALICE, form=Format.PROTOBUF)
    bob = table.seat(BOB)

    alice.say({"cid": "1", "status_follow": {"user_ids": [BOB.user_id]}})
    await settled(table)
    bob.say({"cid": "2", "status_update": {"status": ""}})

    shown = {"user_id": BOB.user_id, "session_id": BOB.session_id, "username": "bob", "status": ""}
    assert alice.heard() == [
        {"cid": "1", "status": {}},
        {"status_presence_event": {"joins": [shown]}},
    ]


def test_a_refusal_and_the_close_reach_a_protobuf_socket_in_its_format() -> None:
    table = Table()
    alice = table.seat(ALICE, form=Format.PROTOBUF)

    alice.say({"cid": "1", "match_join": {"match_id": "garbage"}})
    alice.socket.data_received(masked(FIN_BINARY, b""))

    assert alice.heard() == [
        {"cid": "1", "error": {"code": 3, "message": "Invalid match ID"}},
        {"error": {"code": 2, "message": "Missing message."}},
    ]
    assert (alice.session.close_code, alice.session.close_text) == (1000, "error processing message")


def test_a_disconnect_lets_what_was_said_before_out_first() -> None:
    table = Table()
    alice = table.seat(ALICE)

    table.performer.perform(
        [Reply(Pong()), Disconnect(ALICE.session_id, CloseReason.MALFORMED)], alice.session, "7"
    )

    assert alice.heard() == [{"cid": "7", "pong": {}}]
    assert alice.session.state is SessionState.ENDED


def test_a_disconnect_of_one_who_is_gone_and_a_record_are_no_events() -> None:
    table = Table()

    table.performer.perform(
        [Disconnect(BOB.session_id, CloseReason.MALFORMED), Record("match_ended", {"match_id": "x"})]
    )

    assert len(table.registry) == 0


@pytest.mark.parametrize("reliable", [True, False])
def test_a_slow_receiver_is_ended_or_left_out_and_costs_the_others_nothing(reliable: bool) -> None:
    table = Table(limit_bytes=16 * 1024)
    alice, bob, carol = (table.seat(player) for player in (ALICE, BOB, CAROL))
    for seat in (alice, bob, carol):
        seat.say({"match_create": {"name": "room"}})
    match_id = alice.heard()[0]["match"]["match_id"]
    for seat in (bob, carol):
        seat.heard()
    bob.socket.pause_writing()

    for _ in range(20):
        alice.say({"match_data_send": {"match_id": match_id, "data": "eHh4" * 300, "reliable": reliable}})

    assert bob.session.close_text == ("session outgoing queue full" if reliable else "")
    if not reliable:
        dropped = table.slow.counts.dropped["match_data"]
        bob.socket.resume_writing()
        assert len(bob.heard()) == 20 - dropped
        assert 0 < dropped < 20
    data = [message for message in carol.heard() if "match_data" in message]
    assert len(data) == 20


async def test_a_request_that_waits_holds_only_its_own_player() -> None:
    users = SlowUsers()
    table = Table(empty_world(users))
    alice, bob = table.seat(ALICE), table.seat(BOB)

    alice.say({"cid": "1", "status_follow": {"user_ids": [BOB.user_id]}})
    alice.say({"cid": "2", "ping": {}})
    bob.say({"cid": "1", "ping": {}})
    assert alice.heard() == []
    assert not alice.transport.reading
    assert bob.heard() == [{"cid": "1", "pong": {}}]
    users.ready.set()
    await settled(table)

    assert alice.heard() == [{"cid": "1", "status": {}}, {"cid": "2", "pong": {}}]
    assert alice.transport.reading


async def test_requests_that_wait_are_answered_in_their_order() -> None:
    users = SlowUsers()
    table = Table(empty_world(users))
    alice = table.seat(ALICE)

    for number in range(3):
        alice.say({"cid": str(number), "status_follow": {"usernames": ["bob"]}})
    users.ready.set()
    await settled(table)

    assert [message["cid"] for message in alice.heard()] == ["0", "1", "2"]


async def test_a_session_that_ends_while_it_waits_leaves_nothing_behind() -> None:
    users = SlowUsers()
    table = Table(empty_world(users))
    alice = table.seat(ALICE)
    alice.say({"cid": "1", "status_follow": {"user_ids": [BOB.user_id]}})
    await asyncio.sleep(0)

    alice.session.end(CloseReason.LOGGED_OUT)
    users.ready.set()
    await settled(table)

    assert table.world.statuses.follows == 0
    assert alice.transport.reading  # the peer's answer to our close must be read


async def test_a_session_that_ends_in_the_turn_of_its_request_is_no_error() -> None:
    table = Table(empty_world(SlowUsers()))
    alice = table.seat(ALICE)

    alice.say({"cid": "1", "status_follow": {"user_ids": [BOB.user_id]}})
    alice.lose()
    await settled(table)

    assert table.world.statuses.follows == 0
    assert alice.session.state is SessionState.LOST


def test_who_sends_too_much_is_told_a_while_and_then_closed() -> None:
    clock = ManualClock()
    table = Table(clock=clock, rates=Rates(clock.monotonic, messages_per_s=1, messages_burst=3))
    alice, bob = table.seat(ALICE), table.seat(BOB)

    for number in range(3 + PATIENCE):
        alice.say({"cid": f"{number}", "ping": {}})
    answers = alice.heard()
    assert [list(each)[1] for each in answers] == ["pong"] * 3 + ["error"] * PATIENCE
    assert answers[-1] == {
        "cid": f"{2 + PATIENCE}",
        "error": {"code": 3, "message": "Too many messages: over socket.messages_per_s"},
    }
    with capture_logs() as logged:
        alice.say({"cid": "last", "ping": {}})

    assert (alice.session.close_code, alice.session.close_text) == (4503, "too many messages")
    assert logged[0] == {
        "event": "sender_too_fast",
        "log_level": "warning",
        "user_id": ALICE.user_id,
        "session_id": ALICE.session_id,
        "setting": "socket.messages_per_s",
    }
    assert table.performer.limited == {"messages_per_s": PATIENCE + 1}
    bob.say({"cid": "1", "ping": {}})
    assert bob.heard() == [{"cid": "1", "pong": {}}]
