"""Relayed matches: joining, leaving, and who gets which data."""

import uuid

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Match, MatchData, MatchDataSend, MatchPresenceEvent, UserPresence
from server.core.match import Matches
from server.core.presence import Presences
from server.effects import Deliver, Effects, Record, Reply, Stream
from tests.support.players import ALICE, BOB, CAROL, NEW_ID

ID = f"{NEW_ID}."
ROOM = Stream(5, NEW_ID)


def joined(*players: UserPresence, matches_per_session: int = 10) -> Matches:
    matches = Matches(Presences(), matches_per_session)
    matches.create(players[0], "", NEW_ID)
    for player in players[1:]:
        matches.join(player, ID)
    return matches


def reply(effects: Effects) -> Match:
    assert isinstance(effects[0], Reply)
    assert isinstance(effects[0].message, Match)
    return effects[0].message


def test_an_unnamed_match_has_its_creator_in_it() -> None:
    effects = Matches(Presences(), 10).create(ALICE, "", NEW_ID)

    assert effects == [
        Reply(Match(match_id=ID, size=1, self=ALICE)),
        Deliver(ROOM, MatchPresenceEvent(match_id=ID, joins=(ALICE,))),
        Record("match_created", {"match_id": ID, "kind": "relayed"}),
    ]


def test_a_name_is_always_the_same_match() -> None:
    matches = Matches(Presences(), 10)
    match_id = f"{uuid.uuid5(uuid.NAMESPACE_DNS, 'lobby')}."

    first = matches.create(ALICE, "lobby", NEW_ID)
    second = matches.create(BOB, "lobby", NEW_ID)

    assert reply(first) == Match(match_id=match_id, size=1, self=ALICE)
    assert reply(second) == Match(match_id=match_id, size=2, presences=(ALICE,), self=BOB)


def test_a_named_match_that_one_is_in_already_answers_with_all_and_causes_nothing() -> None:
    matches = Matches(Presences(), 10)
    matches.create(ALICE, "lobby", NEW_ID)
    matches.create(BOB, "lobby", NEW_ID)

    effects = matches.create(ALICE, "lobby", NEW_ID)

    assert len(effects) == 1
    assert reply(effects).size == 2
    assert reply(effects).presences == (ALICE, BOB)


def test_a_joiner_is_told_of_the_others_and_then_all_of_the_joiner() -> None:
    matches = joined(ALICE, BOB)

    effects = matches.join(CAROL, ID)

    assert effects == [
        Reply(Match(match_id=ID, size=2, presences=(ALICE, BOB), self=CAROL)),
        Deliver(ROOM, MatchPresenceEvent(match_id=ID, joins=(CAROL,))),
    ]


def test_joining_again_answers_with_oneself_included_and_causes_nothing() -> None:
    matches = joined(ALICE, BOB)

    effects = matches.join(BOB, ID)

    assert effects == [Reply(Match(match_id=ID, size=2, presences=(ALICE, BOB), self=BOB))]


def test_the_answer_repeats_the_id_as_it_was_given() -> None:
    matches = joined(ALICE)

    effects = matches.join(BOB, ID.upper())

    assert reply(effects).match_id == ID.upper()
    assert effects[1] == Deliver(ROOM, MatchPresenceEvent(match_id=ID, joins=(BOB,)))


@pytest.mark.parametrize("match_id", ["", "garbage", "garbage.", NEW_ID, ".", ".node1"])
def test_an_id_that_is_none_is_bad_input(match_id: str) -> None:
    matches = joined(ALICE)

    for action in (matches.join, matches.leave):
        with pytest.raises(RequestError, match="Invalid match ID") as refused:
            action(BOB, match_id)
        assert refused.value.code is ErrorCode.BAD_INPUT
        assert refused.value.keep_cid


@pytest.mark.parametrize("match_id", ["12345678-1234-4234-8234-123456789012.", f"{ID}node1"])
def test_a_match_that_is_not_there_is_not_found(match_id: str) -> None:
    with pytest.raises(RequestError, match="Match not found") as refused:
        joined(ALICE).join(BOB, match_id)

    assert refused.value.code is ErrorCode.MATCH_NOT_FOUND


def test_an_invitation_opens_an_empty_match() -> None:
    matches = Matches(Presences(), 10)

    assert reply(matches.join_invited(ALICE, ID)) == Match(match_id=ID, self=ALICE)


def test_an_invitation_to_no_match_is_an_invalid_token() -> None:
    with pytest.raises(RequestError, match="Invalid match token"):
        Matches(Presences(), 10).join_invited(ALICE, "garbage")


def test_a_leave_is_answered_and_told_to_those_who_stay() -> None:
    matches = joined(ALICE, BOB)

    assert matches.leave(BOB, ID) == [
        Reply(),
        Deliver(ROOM, MatchPresenceEvent(match_id=ID, leaves=(BOB,))),
    ]
    assert matches.leave(BOB, ID) == [Reply()]


def test_the_last_one_ends_the_match() -> None:
    matches = joined(ALICE)

    assert matches.leave(ALICE, ID) == [Reply(), Record("match_ended", {"match_id": ID, "kind": "relayed"})]
    assert len(matches) == 0


def test_a_session_that_ends_leaves_all_its_matches() -> None:
    presences = Presences()
    matches = Matches(presences, 10)
    matches.create(ALICE, "one", NEW_ID)
    matches.create(ALICE, "two", NEW_ID)

    matches.close(ALICE)

    assert len(matches) == len(presences) == 0


def test_a_match_too_many_is_refused_but_staying_is_not_joining() -> None:
    matches = joined(ALICE, matches_per_session=1)

    matches.join(ALICE, ID)
    with pytest.raises(RequestError, match="more than 1 ") as refused:
        matches.create(ALICE, "second", NEW_ID)

    assert refused.value.code is ErrorCode.MATCH_JOIN_REJECTED
    assert len(matches) == 1


def test_data_goes_to_all_others_under_the_senders_name() -> None:
    matches = joined(ALICE, BOB, CAROL)

    effects = matches.send(ALICE, MatchDataSend(match_id=ID, op_code=7, data=b"\x00\xff", reliable=True))

    data = MatchData(match_id=ID, presence=ALICE, op_code=7, data=b"\x00\xff", reliable=True)
    assert effects == [Deliver(ROOM, data, skip=ALICE.session_id)]


def test_data_for_named_members_goes_to_them_alone_the_sender_included_if_named() -> None:
    matches = joined(ALICE, BOB, CAROL)
    stranger = UserPresence(user_id=CAROL.user_id, session_id=NEW_ID, username="x")

    effects = matches.send(ALICE, MatchDataSend(match_id=ID, presences=(ALICE, BOB, stranger, BOB)))

    assert [effect.to for effect in effects if isinstance(effect, Deliver)] == [
        (ALICE.session_id, BOB.session_id)
    ]


@pytest.mark.parametrize(
    "target",
    [
        UserPresence(user_id="garbage", session_id=BOB.session_id),
        UserPresence(user_id=BOB.user_id, session_id="garbage"),
    ],
)
def test_data_for_a_target_that_is_no_id_is_dropped_for_all(target: UserPresence) -> None:
    matches = joined(ALICE, BOB)

    assert matches.send(ALICE, MatchDataSend(match_id=ID, presences=(BOB, target))) == []


def test_data_from_outside_is_dropped() -> None:
    matches = joined(ALICE, BOB)

    assert matches.send(CAROL, MatchDataSend(match_id=ID)) == []
    assert matches.send(CAROL, MatchDataSend(match_id="12345678-1234-4234-8234-123456789012.")) == []
    assert matches.send(ALICE, MatchDataSend(match_id=f"{ID}node1")) == []


def test_data_for_no_match_at_all_is_refused_without_the_cid() -> None:
    with pytest.raises(RequestError, match="Invalid match ID") as refused:
        joined(ALICE).send(ALICE, MatchDataSend(match_id="garbage"))

    assert not refused.value.keep_cid


def test_every_match_is_listed_with_its_size() -> None:
    matches = joined(ALICE, BOB)
    matches.create(CAROL, "lobby", NEW_ID)

    assert sorted(size for _, size in matches.sizes()) == [1, 2]
    assert dict(matches.sizes())[ID] == 2
