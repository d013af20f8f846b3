"""Parties: coming, and what everybody hears of it."""

import pytest

from protocol.messages import (
    Party,
    PartyCreate,
    PartyJoinRequest,
    PartyPresenceEvent,
    PartyUpdate,
    UserPresence,
)
from server.core.party_label import LabelError
from server.core.party_room import PartyRefused, Refusal
from server.effects import Deliver, Effects, Record, Reply
from tests.support.parties import CLOSED, ID, NOW, OPEN, OTHER, OTHER_ID, ROOM, TWO, Bench, closed, opened
from tests.support.players import ALICE, BOB, CAROL, NEW_ID


def joined(player: UserPresence, *members: UserPresence, is_open: bool = True) -> Effects:
    """What entering sets off: the player sees the party, and then all see the player."""
    seen = Party(party_id=ID, open=is_open, max_size=4, self=player, leader=members[0], presences=members)
    return [
        Deliver((player.session_id,), seen),
        Deliver(ROOM, PartyPresenceEvent(party_id=ID, joins=(player,))),
    ]


def test_a_new_party_is_answered_in_full_and_then_shown_to_its_leader() -> None:
    bench = Bench()

    effects = bench.parties.create(
        ALICE, PartyCreate(open=True, max_size=4, label='{"a":1}', hidden=True), NEW_ID, NOW
    )

    answer = Party(
        party_id=ID,
        open=True,
        hidden=True,
        max_size=4,
        self=ALICE,
        leader=ALICE,
        presences=(ALICE,),
        label='{"a":1}',
    )
    assert effects == [Reply(answer), *joined(ALICE, ALICE), Record("party_created", {"party_id": ID})]
    assert len(bench.parties) == bench.parties.created == 1


def test_a_party_with_a_bad_label_is_not_opened() -> None:
    bench = Bench()

    with pytest.raises(LabelError):
        bench.parties.create(ALICE, PartyCreate(label="lab"), NEW_ID, NOW)

    assert len(bench.parties) == len(bench.presences) == 0


def test_whoever_joins_an_open_party_is_answered_then_sees_it_then_all_see_them() -> None:
    bench = opened(ALICE)

    assert bench.parties.join(BOB, ID) == [Reply(), *joined(BOB, ALICE, BOB)]


def test_joining_an_open_party_again_is_answered_and_causes_nothing() -> None:
    bench = opened(ALICE, BOB)
    bench.parties.search(ALICE, ID, TWO, "ticket", NOW)

    assert bench.parties.join(BOB, ID) == [Reply()]
    assert len(bench.matchmaker) == 1


def test_a_full_party_refuses_the_next_join_and_has_room_after_a_leave() -> None:
    bench = opened(ALICE, BOB, create=PartyCreate(open=True, max_size=2))

    with pytest.raises(PartyRefused, match="party full"):
        bench.parties.join(CAROL, ID)
    assert bench.parties.join(BOB, ID) == [Reply()]
    bench.parties.leave(BOB, ID)
    bench.parties.join(CAROL, ID)

    assert bench.members() == [ALICE, CAROL]


def test_a_party_for_nobody_has_its_leader_alone() -> None:
    bench = opened(ALICE, create=PartyCreate(open=True))

    with pytest.raises(PartyRefused, match="party full"):
        bench.parties.join(BOB, ID)

    assert bench.members() == [ALICE]


def test_a_party_that_is_not_there_is_not_found() -> None:
    bench = opened(ALICE)

    for party_id in (OTHER, f"{NEW_ID}.elsewhere", f"{NEW_ID}."):
        with pytest.raises(PartyRefused, match="party not found"):
            bench.parties.join(BOB, party_id)
    assert bench.parties.refused == {Refusal.NOT_FOUND: 3}


def test_joining_a_closed_party_asks_its_leader() -> None:
    bench = closed(ALICE, BOB)

    effects = bench.parties.join(CAROL, ID)

    told = PartyJoinRequest(party_id=ID, presences=(CAROL,))
    assert effects == [Reply(), Deliver((ALICE.session_id,), told)]
    assert bench.members() == [ALICE, BOB]
    assert bench.parties.requests == 1
    assert bench.parties.requests_of(ALICE, ID) == (CAROL,)


def test_the_leader_of_the_moment_is_asked() -> None:
    bench = closed(ALICE, BOB)
    bench.parties.promote(ALICE, ID, BOB)

    effects = bench.parties.join(CAROL, ID)

    assert isinstance(effects[1], Deliver)
    assert effects[1].to == (BOB.session_id,)


def test_a_player_asks_once_and_a_member_does_not() -> None:
    bench = closed(ALICE, BOB)
    bench.parties.join(CAROL, ID)

    with pytest.raises(PartyRefused, match="party join request duplicate"):
        bench.parties.join(CAROL, ID)
    with pytest.raises(PartyRefused, match="party join request already member"):
        bench.parties.join(BOB, ID)


def test_as_many_may_ask_as_may_be_in_it() -> None:
    bench = closed(ALICE, create=PartyCreate(max_size=2))
    players = [UserPresence(user_id=f"u{n}", session_id=f"s{n}", username=f"n{n}") for n in range(3)]
    for player in players[:2]:
        bench.parties.join(player, ID)

    with pytest.raises(PartyRefused, match="party join requests full"):
        bench.parties.join(players[2], ID)

    assert bench.parties.requests == 2


def test_a_full_closed_party_takes_no_requests() -> None:
    bench = closed(ALICE, BOB, create=PartyCreate(max_size=2))

    with pytest.raises(PartyRefused, match="party full"):
        bench.parties.join(CAROL, ID)


def test_whoever_is_accepted_sees_the_party_and_all_see_them() -> None:
    bench = closed(ALICE)
    bench.parties.join(BOB, ID)

    assert bench.parties.accept(ALICE, ID, BOB) == [Reply(), *joined(BOB, ALICE, BOB, is_open=False)]
    assert bench.parties.requests == 0
    assert bench.parties.requests_of(ALICE, ID) == ()


def test_only_who_asked_is_accepted_and_only_under_their_own_name() -> None:
    bench = closed(ALICE)
    bench.parties.join(BOB, ID)
    masked = UserPresence(user_id=BOB.user_id, session_id=BOB.session_id, username="robert")

    for named in (CAROL, masked, ALICE):
        with pytest.raises(PartyRefused, match="party join request not found"):
            bench.parties.accept(ALICE, ID, named)
    bench.parties.accept(ALICE, ID, BOB)
    with pytest.raises(PartyRefused, match="party join request not found"):
        bench.parties.accept(ALICE, ID, BOB)


def test_nobody_is_accepted_into_a_full_party_and_their_request_stays() -> None:
    bench = closed(ALICE, create=PartyCreate(max_size=2))
    bench.parties.join(BOB, ID)
    bench.parties.join(CAROL, ID)
    bench.parties.accept(ALICE, ID, BOB)

    with pytest.raises(PartyRefused, match="party full"):
        bench.parties.accept(ALICE, ID, CAROL)

    assert bench.parties.requests_of(ALICE, ID) == (CAROL,)


def test_a_request_is_settled_when_the_party_opens_and_its_player_enters() -> None:
    bench = closed(ALICE)
    bench.parties.join(BOB, ID)
    bench.parties.update(ALICE, ID, PartyUpdate(open=True))

    bench.parties.join(BOB, ID)

    assert bench.members() == [ALICE, BOB]
    assert bench.parties.requests == 0


def test_a_session_has_to_do_with_so_many_parties_and_no_more() -> None:
    bench = closed(ALICE, per_session=2)
    bench.parties.create(BOB, OPEN, OTHER_ID, NOW)
    bench.parties.join(BOB, ID)

    with pytest.raises(PartyRefused) as refused:
        bench.parties.create(BOB, OPEN, "77777777-7777-4777-8777-777777777777", NOW)
    assert refused.value.refusal is Refusal.TOO_MANY
    bench.parties.accept(ALICE, ID, BOB)  # what was a request is a place now
    bench.parties.leave(BOB, OTHER)
    bench.parties.create(BOB, OPEN, OTHER_ID, NOW)

    assert bench.members() == [ALICE, BOB]


def test_a_party_too_many_is_not_joined_either() -> None:
    bench = opened(ALICE, per_session=1)
    bench.parties.create(BOB, CLOSED, OTHER_ID, NOW)

    with pytest.raises(PartyRefused, match="in too many parties"):
        bench.parties.join(BOB, ID)
    with pytest.raises(PartyRefused, match="in too many parties"):
        bench.parties.join(ALICE, OTHER)


def test_with_one_party_each_entering_one_leaves_the_other_first() -> None:
    bench = opened(ALICE, BOB, single=True, per_session=1)

    effects = bench.parties.create(BOB, OPEN, OTHER_ID, NOW)

    assert bench.members() == [ALICE]
    assert effects[1] == Deliver(ROOM, PartyPresenceEvent(party_id=ID, leaves=(BOB,)))
    assert effects[2:] != []


def test_with_one_party_each_asking_leaves_nothing_yet() -> None:
    bench = opened(ALICE, single=True)
    bench.parties.create(BOB, CLOSED, OTHER_ID, NOW)

    bench.parties.join(ALICE, OTHER)
    assert bench.members() == [ALICE]
    bench.parties.accept(BOB, OTHER, ALICE)

    assert bench.members() == []
    assert len(bench.parties) == 1
