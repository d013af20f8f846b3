"""A socket drops, and the next one of the same login goes on: what the player hears, and what others see."""

from typing import Any

import pytest

from protocol.close import CloseReason
from protocol.envelope import Format
from protocol.frames import FIN_CLOSE, FIN_PONG
from server.sessions.session import SessionState
from tests.support.clock import ManualClock
from tests.support.players import ALICE, BOB
from tests.support.seats import Seated, Table
from tests.support.transport import masked


class Room:
    """Alice and Bob in a match; what they were told so far is forgotten."""

    def __init__(self, *, single_socket: bool = True, limit_bytes: int = 1 << 20) -> None:
        self.clock = ManualClock()
        self.table = Table(
            clock=self.clock, resume_s=30, single_socket=single_socket, limit_bytes=limit_bytes
        )
        self.alice = self.table.seat(ALICE, appear=True)
        self.bob = self.table.seat(BOB)
        for seat in (self.alice, self.bob):
            seat.say({"match_create": {"name": "room"}})
        (self.match_id,) = [each["match"]["match_id"] for each in self.alice.heard() if "match" in each]
        self.bob.heard()

    def say(self, seat: Seated, text: str, *, reliable: bool = True) -> None:
        data = {"match_id": self.match_id, "data": text, "reliable": reliable}
        seat.say({"match_data_send": data})

    def confirm(self) -> None:
        """Alice answers a ping: all that was sent to her has arrived."""
        self.sweep(16)
        self.table.turn()
        ping = self.alice.transport.writes[-1]
        self.alice.transport.writes.clear()
        self.alice.socket.data_received(masked(FIN_PONG, ping[-4:]))

    def sweep(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            self.bob.socket.heard = True
            self.table.keepalive.sweep(self.clock.monotonic())
            self.table.slow.sweep(self.table.keepalive.now)
            self.table.registry.sweep()


def told(seat: Seated) -> list[str]:
    """What a player was told, in a word each: data as it is, else the name of the message."""
    words = []
    for message in seat.heard():
        (kind,) = {*message} - {"cid"}
        words.append(message[kind]["data"] if kind == "match_data" else kind)
    return words


def notifications(messages: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [
        (each["subject"], each["code"])
        for message in messages
        for each in message.get("notifications", {}).get("notifications", ())
    ]


def test_nobody_sees_a_player_drop_and_come_back() -> None:
    room = Room()
    before = room.alice.session.session_id

    room.alice.lose()
    assert room.alice.session.state is SessionState.AWAY
    room.sweep(29)
    assert room.alice.come_back()

    assert room.alice.session.session_id == before
    room.say(room.alice, "aGk=")
    assert told(room.bob) == ["aGk="]
    assert room.table.registry.resumed == 1


def test_what_was_said_meanwhile_is_delivered_first() -> None:
    room = Room()
    room.confirm()
    room.alice.lose()

    for text in ("MQ==", "Mg=="):
        room.say(room.bob, text)
    room.alice.come_back()
    room.say(room.bob, "Mw==")

    assert told(room.alice) == ["MQ==", "Mg==", "Mw=="]


def test_who_may_have_missed_something_is_told_after_what_waited() -> None:
    room = Room()
    room.confirm()
    room.say(room.bob, "MA==")
    room.alice.heard()  # it was written; whether it arrived nobody knows

    room.alice.lose()
    room.say(room.bob, "MQ==")
    room.alice.come_back()

    heard = room.alice.heard()
    assert [next(iter(each)) for each in heard] == ["match_data", "notifications"]
    assert notifications(heard) == [("resumed", -1003)]
    # It is told once.
    room.confirm()
    room.alice.lose()
    room.alice.come_back()
    assert room.alice.heard() == []


def test_what_waits_in_the_turn_of_the_drop_counts_as_missed() -> None:
    room = Room()
    room.confirm()
    room.alice.session.outbox.put(b"\x81\x02{}")
    room.alice.socket.connection_lost(None)
    room.alice.come_back()

    assert notifications(room.alice.heard()) == [("resumed", -1003)]


@pytest.mark.parametrize("confirmed", [True, False])
def test_the_new_socket_may_speak_the_other_format(confirmed: bool) -> None:
    room = Room()
    if confirmed:
        room.confirm()
    room.alice.lose()
    room.say(room.bob, "MQ==")

    room.alice.come_back(Format.PROTOBUF)
    room.say(room.bob, "Mg==")

    assert [word for word in told(room.alice) if word != "notifications"] == ["MQ==", "Mg=="]
    room.say(room.alice, "aGk=")
    assert told(room.bob) == ["aGk="]


def test_after_its_time_a_session_ends_and_others_see_it() -> None:
    room = Room()
    room.alice.lose()

    room.sweep(29)
    assert told(room.bob) == []
    room.sweep(1)

    assert told(room.bob) == ["match_presence_event"]
    assert room.alice.session.state is SessionState.LOST
    assert (room.alice.session.close_code, room.table.registry.closed) == (1006, {1006: 1})
    assert (len(room.table.registry), len(room.table.registry.away), room.table.registry.leaving) == (1, 0, 0)
    assert not room.alice.come_back()


def test_a_peer_that_went_silent_is_held_too() -> None:
    room = Room()
    room.sweep(26)

    assert room.alice.session.state is SessionState.AWAY
    assert room.alice.transport.written.endswith(b"pong timeout")
    assert room.alice.come_back()
    assert told(room.bob) == []


def test_who_says_goodbye_is_gone_at_once() -> None:
    room = Room()

    room.alice.socket.data_received(masked(FIN_CLOSE, b"\x03\xe8"))

    assert room.alice.session.state is SessionState.ENDED
    assert told(room.bob) == ["match_presence_event"]


def test_who_is_ended_by_the_server_is_not_held() -> None:
    room = Room()

    room.alice.session.end(CloseReason.REVOKED)
    room.alice.lose()

    assert not room.alice.come_back()


def test_who_is_away_can_be_ended() -> None:
    room = Room()
    room.alice.lose()

    room.table.registry.end_families([room.alice.session.family_id], CloseReason.LOGGED_OUT)

    assert told(room.bob) == ["match_presence_event"]
    assert room.alice.session.close_code == 4502
    assert (len(room.table.registry.away), room.table.registry.leaving) == (0, 0)


def test_a_new_socket_goes_on_even_while_the_old_one_seems_alive() -> None:
    room = Room()
    room.confirm()
    old = room.alice.transport, room.alice.socket

    assert room.alice.come_back()
    assert old[0].written[:2] == bytes((FIN_CLOSE, old[0].written[1]))
    assert old[0].written.endswith(b"server-side session disconnect")
    old[1].data_received(masked(0x81, b'{"cid":"old","ping":{}}'))
    old[1].connection_lost(None)
    room.say(room.bob, "MQ==")

    assert told(room.alice) == ["MQ=="]
    assert told(room.bob) == []


def test_an_old_socket_that_reads_nothing_is_dropped_at_once() -> None:
    room = Room()
    room.alice.socket.pause_writing()
    old = room.alice.transport
    room.say(room.bob, "MQ==")

    room.alice.come_back()

    assert old.aborted
    assert told(room.alice)[0] == "MQ=="


def test_another_login_of_the_player_takes_over_from_who_is_away() -> None:
    room = Room()
    room.alice.lose()

    newer = room.table.seat(ALICE.__class__(user_id=ALICE.user_id, session_id="newer", username="alice"))

    assert room.alice.session.state is SessionState.LOST
    assert told(room.bob) == ["match_presence_event"]
    assert newer.session.state is SessionState.OPEN
    assert not room.alice.come_back()


def test_with_many_sockets_for_each_login_only_a_dropped_one_is_gone_on_with() -> None:
    room = Room(single_socket=False)

    assert not room.alice.come_back()
    room.alice.lose()
    assert room.alice.come_back()


@pytest.mark.parametrize("confirmed", [True, False])
def test_who_is_away_for_too_much_loses_the_news_and_not_the_place(confirmed: bool) -> None:
    room = Room(limit_bytes=16_384)
    if confirmed:
        room.confirm()
    room.alice.lose()

    for _ in range(20):
        room.say(room.bob, "eHh4" * 300)
        assert room.alice.session.outbox.unsent <= 16_384
    room.sweep(20)  # longer than bytes may wait for a socket
    room.alice.come_back()

    heard = room.alice.heard()
    assert notifications(heard) == [("resumed", -1003)]
    assert len(heard) < 20
    assert told(room.bob) == []
    assert (room.table.slow.bytes, len(room.table.slow)) == (0, 0)


async def test_a_request_goes_on_while_its_player_is_away() -> None:
    room = Room()
    room.confirm()
    cancelled: list[bool] = []
    room.alice.session.parked = lambda: cancelled.append(True)

    room.alice.lose()
    assert cancelled == []
    room.alice.come_back()

    assert not room.alice.transport.reading  # the next message waits for the answer


@pytest.mark.parametrize("away", [True, False])
def test_a_session_is_counted_and_watched_as_before(away: bool) -> None:
    room = Room()
    if away:
        room.alice.lose()
        assert len(room.table.registry) == 2
        assert len(room.table.registry.away) == 1

    room.alice.come_back()

    assert len(room.table.registry) == 2
    assert len(room.table.registry.away) == 0
    assert (room.table.registry.opened, room.table.registry.replaced) == (2, 0)
