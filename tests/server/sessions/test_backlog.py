"""What waits for a peer that is behind: in order, and what may be left out."""

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.envelope import Envelope, Format, decode_server, frame
from protocol.frames import extent
from protocol.message import Message
from protocol.messages import (
    ChannelMessage,
    Match,
    MatchData,
    MatchPresenceEvent,
    Notification,
    Notifications,
    Pong,
    StatusPresenceEvent,
    UserPresence,
)
from server.sessions import backlog as module
from server.sessions.backlog import Backlog, Counts
from tests.support.players import ALICE, BOB, CAROL

ALL = 1 << 30


class Waiting:
    """A backlog with what was counted. `content` is what comes out, decoded."""

    def __init__(self, form: Format = Format.JSON) -> None:
        self.form = form
        self.counts = Counts()
        self.backlog = Backlog(form, self.counts, "slow")

    def add(self, message: Message | Envelope, key: str = "", now: float = 0.0) -> int:
        envelope = message if isinstance(message, Envelope) else Envelope(message)
        whole = frame(envelope, self.form)
        self.backlog.add(whole, message, now, key)
        return len(whole)

    def take(self, at_most: int = ALL) -> list[Any]:
        taken = []
        for whole in self.backlog.take(at_most):
            start, end = extent(whole, 0)
            assert end == len(whole)
            taken.append(decode_server(whole[start:end], self.form).message)
        return taken


def data(text: str = "x", sender: UserPresence | None = None, *, reliable: bool = False) -> MatchData:
    return MatchData(match_id="game", presence=sender, data=text.encode(), reliable=reliable)


def joins(*who: UserPresence) -> MatchPresenceEvent:
    return MatchPresenceEvent(match_id="game", joins=who)


def leaves(*who: UserPresence) -> MatchPresenceEvent:
    return MatchPresenceEvent(match_id="game", leaves=who)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_all_leaves_in_order(waiting: Waiting) -> None:
    messages = [
        data("1"),
        Notifications(notifications=(Notification(id="n"),)),
        data("2", reliable=True),
        Pong(),
    ]
    size = sum(waiting.add(each) for each in messages)

    assert (len(waiting.backlog), waiting.backlog.size) == (4, size)
    assert waiting.take() == messages
    assert (len(waiting.backlog), waiting.backlog.size) == (0, 0)


def test_so_many_bytes_are_taken_but_at_least_one_frame(waiting: Waiting) -> None:
    size = waiting.add(data("1"))
    for number in "234":
        waiting.add(data(number))

    assert waiting.take(2 * size) == [data("1"), data("2")]
    assert waiting.take(2 * size - 1) == [data("3")]
    assert waiting.take(0) == [data("4")]
    assert waiting.take(0) == []


def test_unreliable_match_data_is_dropped_the_oldest_first(waiting: Waiting) -> None:
    size = waiting.add(data("1"))
    waiting.add(data("2", reliable=True))
    for number in "345":
        waiting.add(data(number))

    waiting.backlog.shrink(waiting.backlog.size - size - 1)

    assert waiting.take() == [data("2", reliable=True), data("4"), data("5")]
    assert waiting.counts.dropped == {"match_data": 2}
    assert waiting.counts.dropped_for == {"slow": 2}


def test_nothing_else_is_ever_dropped(waiting: Waiting) -> None:
    kept: list[Message | Envelope] = [
        data("1", reliable=True),
        Envelope(Pong(), "7"),
        Notifications(),
        ChannelMessage(channel_id="2..."),
        StatusPresenceEvent(joins=(ALICE,)),
    ]
    for each in kept:
        waiting.add(each)
    waiting.backlog.add(b"\x89\x00", None, 0.0)

    waiting.backlog.shrink(0)

    assert len(waiting.backlog) == 6
    assert not waiting.counts.dropped


def test_of_data_with_a_key_the_latest_waits_at_its_own_place(waiting: Waiting) -> None:
    waiting.add(data("state 1", reliable=True), key="state")
    size = waiting.add(data("shot"))
    size += waiting.add(data("score"), key="score")
    size += waiting.add(data("state 2", reliable=True), key="state")

    assert waiting.backlog.size == size
    assert waiting.take() == [data("shot"), data("score"), data("state 2", reliable=True)]
    waiting.add(data("state 3"), key="state")
    assert waiting.take() == [data("state 3")]
    assert waiting.counts.dropped == {"match_data": 1}


def test_events_of_a_topic_become_one_at_the_place_of_the_latest(waiting: Waiting) -> None:
    waiting.add(joins(ALICE))
    waiting.add(StatusPresenceEvent(joins=(CAROL,)))
    waiting.add(data("shot"))
    waiting.add(joins(BOB))

    assert waiting.take() == [StatusPresenceEvent(joins=(CAROL,)), data("shot"), joins(ALICE, BOB)]
    assert waiting.counts.merged == {"match_presence_event": 1}


def test_who_came_and_went_is_not_told_of(waiting: Waiting) -> None:
    waiting.add(joins(ALICE))
    waiting.add(leaves(ALICE))

    assert (len(waiting.backlog), waiting.backlog.size) == (0, 0)
    waiting.add(joins(BOB))
    assert waiting.take() == [joins(BOB)]


def test_nobody_is_heard_before_they_have_joined(waiting: Waiting) -> None:
    said = data("hello", ALICE)
    for each in (joins(ALICE), said, joins(BOB), leaves(ALICE)):
        waiting.add(each)

    assert waiting.take() == [
        joins(ALICE),
        said,
        MatchPresenceEvent(match_id="game", joins=(BOB,), leaves=(ALICE,)),
    ]


def test_what_was_kept_apart_by_dropped_data_is_merged_when_there_is_need(waiting: Waiting) -> None:
    for each in (joins(ALICE), data("hello", ALICE), joins(BOB), leaves(ALICE)):
        waiting.add(each)

    waiting.backlog.shrink(0)

    assert waiting.backlog.size == len(frame(Envelope(joins(BOB)), Format.JSON))
    assert waiting.take() == [joins(BOB)]


def test_events_on_either_side_of_a_reply_stay_apart(waiting: Waiting) -> None:
    # Alice is part of what the reply shows: her leaving is news.
    shows = Match(match_id="game", presences=(ALICE,))
    for each in (joins(ALICE), Envelope(shows, "1"), leaves(ALICE)):
        waiting.add(each)

    assert waiting.take() == [joins(ALICE), shows, leaves(ALICE)]


def test_many_changes_of_one_topic_take_the_room_of_what_they_come_to(waiting: Waiting) -> None:
    def status(text: str) -> UserPresence:
        return UserPresence(session_id=ALICE.session_id, status=text)

    for number in range(1000):
        waiting.add(StatusPresenceEvent(joins=(status(f"{number + 1}"),), leaves=(status(f"{number}"),)))
    waiting.backlog.shrink(0)

    assert waiting.backlog.size < 300
    assert waiting.take() == [StatusPresenceEvent(joins=(status("1000"),), leaves=(status("0"),))]


def test_settling_is_not_repeated_for_each_frame(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    settled: list[int] = []
    settle = Backlog._settle

    def counted(backlog: Backlog) -> None:
        settled.append(backlog.size)
        settle(backlog)

    monkeypatch.setattr(Backlog, "_settle", counted)

    for _ in range(1000):
        waiting.add(data("x" * 100, reliable=True))
        waiting.backlog.shrink(0)

    assert 10 < len(settled) < 80


def test_the_oldest_is_known(waiting: Waiting) -> None:
    assert waiting.backlog.since is None
    waiting.add(data("1"), now=3.0)
    waiting.add(data("2"), now=4.0)
    waiting.take(0)

    assert waiting.backlog.since == 4.0


def test_what_waits_is_known_by_name(waiting: Waiting) -> None:
    first = waiting.add(data("1")) + waiting.add(data("2"))
    reply = waiting.add(Envelope(Pong(), "1"))
    waiting.backlog.add(b"\x89\x00", None, 0.0)
    nothing = waiting.add(Envelope(None, "1"))

    assert waiting.backlog.by_name() == {"match_data": first, "pong": reply, "control": 2 + nothing}


def test_a_peer_that_is_always_behind_leaves_nothing_behind(waiting: Waiting) -> None:
    waiting.add(data("first"))
    for number in range(1000):
        waiting.add(data("x", UserPresence(session_id=f"{number}")), key=f"{number}")
        waiting.add(MatchPresenceEvent(match_id=f"{number}", joins=(ALICE,)))
        waiting.take(0)
        waiting.take(0)

    backlog = waiting.backlog
    assert len(backlog) == 1
    kept = (backlog._droppable, backlog._keyed, backlog._pending, backlog._spoke)
    assert max(map(len, kept)) <= 2


STEPS = st.lists(
    st.tuples(st.sampled_from("jlsdtkr"), st.integers(0, 3), st.booleans()), min_size=1, max_size=60
)


@settings(max_examples=300)
@given(STEPS, st.sampled_from(list(Format)))
def test_whoever_was_behind_knows_in_the_end_what_everybody_knows(
    steps: list[tuple[str, int, bool]], form: Format
) -> None:
    """Members join, leave, show a status and speak while the peer is behind, reads, or is given replies."""
    waiting = Waiting(form)
    present: dict[str, UserPresence] = {}
    told: list[Any] = []
    reliable: list[bytes] = []
    for number, (step, who, flag) in enumerate(steps):
        me = UserPresence(session_id=f"{who}", status=f"{number}")
        old = present.get(me.session_id)
        if step == "j":
            present[me.session_id] = me
            waiting.add(MatchPresenceEvent(match_id="game", joins=(me,), leaves=(old,) if old else ()))
        elif step == "l" and old:
            del present[me.session_id]
            waiting.add(leaves(old))
        elif step == "s" and old:
            said = data(f"{number}", old, reliable=flag)
            waiting.add(said)
            reliable += [said.data] if flag else []
        elif step == "d":
            waiting.backlog.shrink(50 * who)
        elif step == "t":
            told += waiting.take(100 * who)
        elif step == "k":
            waiting.add(data(f"{number}"), key=f"{who}")
        elif step == "r":
            waiting.add(Envelope(Match(match_id="game", presences=tuple(present.values())), "1"))
    told += waiting.take()

    seen: dict[str, UserPresence] = {}
    heard: list[bytes] = []
    for message in told:
        if isinstance(message, MatchPresenceEvent):
            for each in message.leaves:
                assert seen.pop(each.session_id) == each
            for each in message.joins:
                assert each.session_id not in seen
                seen[each.session_id] = each
        elif isinstance(message, MatchData):
            heard += [message.data] if message.reliable else []
            assert message.presence is None or message.presence.session_id in seen
        elif isinstance(message, Match):
            assert {each.session_id: each for each in message.presences} == seen
    assert seen == present
    assert heard == reliable
    assert waiting.backlog.size == 0


@pytest.mark.parametrize("form", Format)
def test_for_another_socket_all_that_was_said_is_written_anew(waiting: Waiting, form: Format) -> None:
    reply = Envelope(Pong(), "1")
    waiting.add(data("1"), now=1.0)
    waiting.backlog.add(b"\x89\x00", None, 1.0)
    waiting.add(joins(ALICE))
    waiting.add(joins(BOB))
    waiting.add(reply)

    waiting.backlog.rewrite(form, 7.0)
    waiting.form = form

    assert waiting.backlog.since == 7.0
    assert waiting.take() == [data("1"), joins(ALICE, BOB), Pong()]
    assert waiting.backlog.size == 0


def test_many_small_frames_count_as_what_is_kept_for_them(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENTRY_BYTES", 256)
    tracemalloc.start()
    try:
        for number in range(1000):
            waiting.add(data(f"{number}", ALICE))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 1.5 * waiting.backlog.size  # the messages themselves are others' too
    waiting.backlog.shrink(0)
    assert waiting.backlog.size == 0
