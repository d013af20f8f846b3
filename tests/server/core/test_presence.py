"""Streams and their members."""

from server.core.presence import Presences
from server.effects import Stream
from tests.support.players import ALICE, BOB, shown

ROOM = Stream(5, "room")
OTHER = Stream(5, "other")


def test_members_keep_the_order_of_joining() -> None:
    presences = Presences()

    presences.track(ROOM, BOB)
    presences.track(ROOM, ALICE)

    assert list(presences.members(ROOM).values()) == [BOB, ALICE]
    assert presences.receivers(ROOM) == (BOB.session_id, ALICE.session_id)
    assert len(presences) == 2


def test_tracking_again_replaces_and_tells_what_was_there() -> None:
    presences = Presences()
    presences.track(ROOM, ALICE)

    before = presences.track(ROOM, shown(ALICE, "busy"))

    assert before == ALICE
    assert list(presences.members(ROOM).values()) == [shown(ALICE, "busy")]


def test_receivers_are_the_same_object_until_somebody_joins_or_leaves() -> None:
    presences = Presences()
    presences.track(ROOM, ALICE)
    first = presences.receivers(ROOM)

    assert presences.receivers(ROOM) is first
    presences.track(ROOM, BOB)
    assert presences.receivers(ROOM) == (ALICE.session_id, BOB.session_id)
    presences.untrack(ROOM, ALICE.session_id)

    assert presences.receivers(ROOM) == (BOB.session_id,)


def test_leaving_where_one_is_not_changes_nothing() -> None:
    presences = Presences()
    presences.track(ROOM, ALICE)

    assert presences.untrack(ROOM, BOB.session_id) is None
    assert presences.untrack(OTHER, ALICE.session_id) is None

    assert len(presences) == 1


def test_a_session_knows_its_streams_of_a_mode() -> None:
    presences = Presences()
    presences.track(ROOM, ALICE)
    presences.track(OTHER, ALICE)
    presences.track(Stream(1, "status"), ALICE)

    assert set(presences.streams_of(ALICE.session_id, 5)) == {ROOM, OTHER}


def test_nothing_is_left_of_those_who_left() -> None:
    presences = Presences()
    for stream in (ROOM, OTHER):
        presences.track(stream, ALICE)
        presences.receivers(stream)

    for stream in (ROOM, OTHER):
        assert presences.untrack(stream, ALICE.session_id) == ALICE

    assert len(presences) == 0
    assert presences.streams == 0
    assert not any(vars(presences).values())
