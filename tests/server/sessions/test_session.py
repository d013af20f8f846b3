"""One player's connection: what it passes on, and how it ends."""

import pytest
from structlog.testing import capture_logs

from protocol.close import CloseReason
from protocol.envelope import Format
from protocol.messages import Pong
from server.sessions.allowance import Allowance, Rates
from server.sessions.outbox import Outbox
from server.sessions.session import Session, SessionState
from server.sessions.slow_receivers import SlowReceivers
from tests.support.players import ALICE

UNLIMITED = Rates(lambda: 0.0)


class Owner:
    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []
        self.holds = False

    def play(self, session: Session, payload: bytes) -> None:
        self.log.append(("play", payload))

    def refuse(self, session: Session, payload: bytes) -> None:
        self.log.append(("refuse", payload))

    def dropped(self, session: Session) -> bool:
        self.log.append(("dropped", session.close_code))
        return self.holds

    def ended(self, session: Session) -> None:
        self.log.append(("ended", (session.close_code, session.close_text)))

    def lost(self, session: Session) -> None:
        self.log.append(("lost", session.state))


class Socket:
    """Takes `takes` bytes of each flush, and is behind when that is not all."""

    def __init__(self, outbox: Outbox, takes: int = 1 << 30) -> None:
        self.bytes_in = self.bytes_out = self.messages_in = self.messages_out = 0
        self.closes: list[CloseReason] = []
        self.buffered = 0
        self.unconfirmed = self.abandoned = self.held = False
        self._outbox = outbox
        self._takes = takes

    def flush(self) -> None:
        if self.buffered:
            return
        self.buffered = max(0, sum(map(len, self._outbox.take())) - self._takes)
        if self.buffered:
            self._outbox.stall()

    def wake(self) -> None:
        return None

    def answer(self, whole: bytes) -> None:
        self._outbox.put(whole)

    def close(self, reason: CloseReason) -> None:
        self.closes.append(reason)

    def abort(self) -> None:
        return None

    def resume_writing(self) -> None:
        self.flush()

    def abandon(self) -> None:
        self.abandoned = True

    def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        return None


def connected(
    limit_bytes: int = 100,
    takes: int = 1 << 30,
    form: Format = Format.JSON,
    rates: Rates = UNLIMITED,
) -> tuple[Session, Socket, Owner]:
    owner = Owner()
    outbox = Outbox(ALICE.session_id, form, limit_bytes, SlowReceivers(max_age_s=10, max_bytes=1 << 20))
    session = Session(
        ALICE, "family", owner, outbox, Allowance(rates), opened_at=0.0, token_exp=7200, form=form
    )
    socket = Socket(outbox, takes)
    session.attach(socket)
    return session, socket, owner


def test_a_text_message_is_played() -> None:
    session, _, owner = connected()

    session.received(b"{}", binary=False)

    assert owner.log == [("play", b"{}")]


def test_a_binary_message_ends_a_json_session() -> None:
    session, socket, owner = connected()

    session.received(b"{}", binary=True)

    assert socket.closes == [CloseReason.UNEXPECTED_TYPE]
    assert owner.log == [("ended", (1000, "received unexpected WebSocket message type"))]


def test_a_protobuf_session_plays_binary_messages_and_ends_with_a_text() -> None:
    session, socket, owner = connected(form=Format.PROTOBUF)

    session.received(b"\x82\x02\x00", binary=True)
    session.received(b"{}", binary=False)

    assert socket.closes == [CloseReason.UNEXPECTED_TYPE]
    assert owner.log == [
        ("play", b"\x82\x02\x00"),
        ("ended", (1000, "received unexpected WebSocket message type")),
    ]


@pytest.mark.parametrize(
    ("form", "frame"),
    [(Format.JSON, b'\x81\x15{"cid":"1","pong":{}}'), (Format.PROTOBUF, b"\x82\x06\x0a\x011\x8a\x02\x00")],
)
def test_a_session_is_told_things_in_its_format(form: Format, frame: bytes) -> None:
    session, _, _ = connected(form=form)

    session.tell(Pong(), "1")

    assert session.outbox.take() == [frame]


def test_a_session_ends_once_whoever_ends_it_first() -> None:
    session, socket, owner = connected()

    session.end(CloseReason.LOGGED_OUT)
    session.end(CloseReason.DISCONNECTED)
    session.closed(1006, "", dropped=False)
    session.received(b"late", binary=False)
    session.tell(Pong())
    session.tell(Pong())
    session.lost()

    assert socket.closes == [CloseReason.LOGGED_OUT]
    assert owner.log == [("ended", (4502, "logged out")), ("lost", SessionState.LOST)]
    assert session.outbox.queued == 0


def test_a_close_of_the_peer_ends_it_without_a_close_of_ours() -> None:
    session, socket, owner = connected()

    session.closed(4000, "", dropped=False)

    assert socket.closes == []
    assert owner.log == [("ended", (4000, ""))]


def test_what_it_waits_for_is_cancelled_when_it_ends() -> None:
    session, _, _ = connected()
    cancelled: list[bool] = []
    session.parked = lambda: cancelled.append(True)

    session.closed(1006, "", dropped=False)

    assert cancelled == [True]
    assert session.parked is None


def test_a_burst_beyond_the_limit_is_fine_when_the_socket_takes_it() -> None:
    session, socket, _ = connected(limit_bytes=100)

    for _ in range(5):
        session.outbox.put(b"x" * 60)

    assert session.state is SessionState.OPEN
    assert socket.closes == []


def test_more_unsent_bytes_than_the_limit_end_it_and_free_the_queue() -> None:
    session, socket, owner = connected(limit_bytes=100, takes=0)

    session.tell(Pong(), "1")
    socket.flush()
    session.outbox.put(b"x" * 77)
    assert session.outbox.unsent == 100
    assert session.state is SessionState.OPEN
    with capture_logs() as logged:
        session.outbox.put(b"x")

    assert socket.closes == [CloseReason.QUEUE_FULL]
    assert owner.log == [("ended", (1000, "session outgoing queue full"))]
    assert session.outbox.queued == 0
    assert logged == [
        {
            "event": "receiver_too_slow",
            "log_level": "warning",
            "user_id": ALICE.user_id,
            "session_id": ALICE.session_id,
            "cause": "bytes",
            "unsent_bytes": 101,
            "top_message": "control",
            "top_bytes": 78,
        }
    ]


def test_an_impossible_step_is_a_bug() -> None:
    session, _, _ = connected()

    with pytest.raises(AssertionError, match="cannot go"):
        session.lost()


def test_what_is_over_the_rate_is_refused_and_not_played() -> None:
    session, _, owner = connected(rates=Rates(lambda: 0.0, messages_per_s=1, messages_burst=2))

    for number in range(3):
        session.received(b"%d" % number, binary=False)

    assert owner.log == [("play", b"0"), ("play", b"1"), ("refuse", b"2")]
