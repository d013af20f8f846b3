"""Presence events, merged: whoever hears the one event knows what whoever heard them all knows."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.difference import Difference, is_data, speaker_of, topic_of
from protocol.message import Message
from protocol.messages import (
    ALL,
    ChannelMessage,
    ChannelPresenceEvent,
    MatchData,
    MatchPresenceEvent,
    PartyData,
    PartyPresenceEvent,
    StatusPresenceEvent,
    Stream,
    StreamData,
    StreamPresenceEvent,
    UserPresence,
)
from tests.support.players import ALICE, BOB, CAROL, shown

GAME = "game"
STREAM = Stream(mode=7, label="news")


def event(joins: Iterable[UserPresence] = (), leaves: Iterable[UserPresence] = ()) -> MatchPresenceEvent:
    return MatchPresenceEvent(match_id=GAME, joins=tuple(joins), leaves=tuple(leaves))


def merged(*events: Message) -> Any:
    difference = Difference(events[0])
    for each in events[1:]:
        difference.add(each)
    assert difference.is_empty is (difference.event() is None)
    return difference.event()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event([ALICE])], event([ALICE])),
        ([event([ALICE]), event([BOB])], event([ALICE, BOB])),
        ([event([ALICE]), event([], [BOB])], event([ALICE], [BOB])),
        ([event([ALICE]), event([], [ALICE])], None),
        ([event([], [ALICE]), event([ALICE])], event([ALICE], [ALICE])),
        ([event([], [ALICE]), event([ALICE]), event([], [ALICE])], event([], [ALICE])),
        ([event([ALICE]), event([], [ALICE]), event([ALICE])], event([ALICE])),
        # Within one event leaves come first.
        ([event([ALICE]), event([ALICE], [ALICE])], event([ALICE])),
    ],
)
def test_events_become_one(events: list[Message], expected: Message | None) -> None:
    assert merged(*events) == expected


def test_a_status_that_changes_twice_is_left_once_as_it_was() -> None:
    first, second, third = (shown(ALICE, text) for text in "123")

    found = merged(
        StatusPresenceEvent(joins=(second,), leaves=(first,)),
        StatusPresenceEvent(joins=(third,), leaves=(second,)),
    )

    assert found == StatusPresenceEvent(joins=(third,), leaves=(first,))


def test_what_else_an_event_says_is_kept() -> None:
    first = ChannelPresenceEvent(channel_id="2...", room_name="hall", joins=(ALICE,))

    found = merged(first, ChannelPresenceEvent(channel_id="2...", room_name="hall", joins=(BOB,)))

    assert found == ChannelPresenceEvent(channel_id="2...", room_name="hall", joins=(ALICE, BOB))


def test_a_difference_knows_whose_joining_it_tells() -> None:
    difference = Difference(event([ALICE, BOB]))
    difference.add(event([], [BOB]))

    assert difference.joins(ALICE.session_id)
    assert not difference.joins(BOB.session_id)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 2)), min_size=1), st.data())
def test_one_event_leads_to_the_same_as_all(steps: list[tuple[bool, int, int]], data: st.DataObject) -> None:
    before = {f"{n}": f"{n}" for n in range(4) if data.draw(st.booleans())}
    present = dict(before)
    events: list[Message] = []
    for leave, who, status in steps:
        sid = f"{who}"
        old = present.pop(sid, None)
        gone = () if old is None else (UserPresence(session_id=sid, status=old),)
        came = () if leave else (UserPresence(session_id=sid, status=f"{status}"),)
        if came:
            present[sid] = f"{status}"
        if gone or came:
            events.append(StatusPresenceEvent(joins=came, leaves=gone))
    if not events:
        return

    found = merged(*events)

    for presence in found.leaves if found else ():
        assert before.pop(presence.session_id) == presence.status  # nobody leaves who was not there
    for presence in found.joins if found else ():
        assert presence.session_id not in before  # nobody comes who is there
        before[presence.session_id] = presence.status
    assert before == present


def test_events_know_their_topic_and_data_who_speaks() -> None:
    match = topic_of(event([ALICE]))

    assert match == (MatchPresenceEvent, GAME)
    assert topic_of(StatusPresenceEvent()) == topic_of(StatusPresenceEvent(joins=(BOB,)))
    assert topic_of(ChannelPresenceEvent(channel_id="a")) != topic_of(ChannelPresenceEvent(channel_id="b"))
    assert speaker_of(MatchData(match_id=GAME, presence=CAROL)) == (match, CAROL.session_id)
    assert speaker_of(MatchData(match_id=GAME)) is None
    assert speaker_of(PartyData(party_id="p", presence=BOB)) == ((PartyPresenceEvent, "p"), BOB.session_id)
    assert speaker_of(StreamData(stream=STREAM, sender=BOB)) == (
        topic_of(StreamPresenceEvent(stream=STREAM)),
        BOB.session_id,
    )


def test_every_presence_event_has_a_topic_and_nothing_else_has() -> None:
    events = {message for message in ALL if message.__name__.endswith("PresenceEvent")}

    assert {message for message in ALL if topic_of(message()) is not None} == events
    assert len(events) == 5
    assert {message for message in ALL if is_data(message())} == {MatchData, PartyData, StreamData}
    assert speaker_of(ChannelMessage()) is None
