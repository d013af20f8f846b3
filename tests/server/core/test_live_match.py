"""Matches that the server runs: who is in them, and what others are told."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Match, MatchPresenceEvent, UserPresence
from server.core.live_match import (
    JoinRefused,
    Left,
    LiveMembers,
    MatchFilter,
    _parsed,
    live_id,
    live_stream,
)
from server.core.presence import Presences
from server.effects import Deliver, Reply, Stream
from tests.support.players import ALICE, BOB, CAROL, NEW_ID

ID = f"{NEW_ID}.node1"
STREAM = Stream(6, NEW_ID, label="node1")


class Told(LiveMembers):
    """Members, with what their match was told."""

    def __init__(self, limit: int = 10) -> None:
        self.presences = Presences()
        self.told: list[tuple[str, str, Left]] = []
        super().__init__(self.presences, limit, self._hear)

    def _hear(self, who: UserPresence, match_id: str, why: Left) -> None:
        self.told.append((who.username, match_id, why))


def with_both() -> Told:
    members = Told()
    members.enter(ALICE, STREAM, ID, "")
    members.enter(BOB, STREAM, ID, "")
    return members


def event(joins: tuple[UserPresence, ...] = (), leaves: tuple[UserPresence, ...] = ()) -> Deliver:
    return Deliver(STREAM, MatchPresenceEvent(match_id=ID, joins=joins, leaves=leaves))


@pytest.mark.parametrize("text", [ID, ID.replace("-", ""), f"{NEW_ID.upper()}.node1"])
def test_an_id_with_a_node_is_of_a_match_that_the_server_runs(text: str) -> None:
    stream = live_stream(text)

    assert stream == STREAM
    assert live_id(STREAM) == ID


@pytest.mark.parametrize("text", ["", ".", NEW_ID, f"{NEW_ID}.", "x.node1", ".node1"])
def test_any_other_id_is_not(text: str) -> None:
    assert live_stream(text) is None


def test_who_is_taken_in_is_answered_first_and_told_to_all() -> None:
    members = Told()

    first = members.enter(ALICE, STREAM, ID, "")
    second = members.enter(BOB, STREAM, ID.upper(), "x")

    assert first == [Reply(Match(match_id=ID, authoritative=True, label="", self=ALICE)), event((ALICE,))]
    assert second == [
        Reply(
            Match(match_id=ID.upper(), authoritative=True, label="x", size=1, presences=(ALICE,), self=BOB)
        ),
        event((BOB,)),
    ]
    assert members.contains(STREAM, BOB.session_id)


def test_who_is_in_already_is_answered_with_themselves_and_told_to_nobody() -> None:
    members = with_both()

    assert members.enter(ALICE, STREAM, ID, "") == [
        Reply(Match(match_id=ID, authoritative=True, label="", size=2, presences=(ALICE, BOB), self=ALICE))
    ]


def test_who_leaves_is_told_to_the_match_and_to_those_who_stay() -> None:
    members = with_both()

    assert members.leave(ALICE, STREAM) == [Reply(), event(leaves=(ALICE,))]
    assert members.leave(ALICE, STREAM) == [Reply()]
    assert members.leave(BOB, STREAM) == [Reply()]
    assert members.told == [("alice", ID, Left.LEFT), ("bob", ID, Left.LEFT)]


def test_a_session_that_ends_leaves_all_its_matches() -> None:
    members = with_both()

    assert members.close(ALICE) == [event(leaves=(ALICE,))]
    assert members.close(ALICE) == members.close(CAROL) == []
    assert members.told == [("alice", ID, Left.DISCONNECTED)]


def test_who_is_thrown_out_is_told_to_the_others() -> None:
    members = with_both()

    assert members.remove(STREAM, [ALICE.session_id, CAROL.session_id]) == [event(leaves=(ALICE,))]
    assert members.presences.receivers(STREAM) == (BOB.session_id,)


def test_the_end_of_a_match_is_told_to_nobody() -> None:
    members = with_both()

    members.end(STREAM)

    assert len(members.presences) == 0
    assert members.told == []


def test_a_session_is_in_so_many_matches_and_no_more() -> None:
    members = Told(limit=1)
    members.check_room(ALICE)
    members.enter(ALICE, STREAM, ID, "")

    with pytest.raises(RequestError) as refused:
        members.check_room(ALICE)

    assert refused.value.code is ErrorCode.MATCH_JOIN_REJECTED
    members.leave(ALICE, STREAM)
    members.check_room(ALICE)


@pytest.mark.parametrize(
    ("least", "most", "taken"), [(None, None, [0, 1, 2]), (1, None, [1, 2]), (None, 1, [0, 1]), (1, 1, [1])]
)
def test_sizes_are_inclusive(least: int | None, most: int | None, taken: list[int]) -> None:
    wanted = MatchFilter(10, min_size=least, max_size=most)

    assert [size for size in range(3) if wanted.takes(size)] == taken


def test_a_refusal_without_a_reason_has_one() -> None:
    assert JoinRefused("full").reason == "full"
    assert JoinRefused("").reason == "Match join rejected"


@pytest.mark.parametrize(("length", "kept"), [(64, 1), (65, 0)])
def test_ids_longer_than_any_match_has_are_read_and_not_kept(length: int, kept: int) -> None:
    match_id = f"{NEW_ID}." + "n" * (length - len(NEW_ID) - 1)
    _parsed.cache_clear()

    assert live_stream(match_id) == Stream(6, NEW_ID, label=match_id.partition(".")[2])
    assert _parsed.cache_info().currsize == kept
