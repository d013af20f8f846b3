"""Parties: leading, searching, going, and what everybody hears of it."""

import pytest

from protocol.messages import (
    PartyClose,
    PartyData,
    PartyDataSend,
    PartyLeader,
    PartyPresenceEvent,
    PartyUpdate,
    UserPresence,
)
from server.core.party_label import LabelError
from server.core.party_room import MODE, PartyRefused
from server.core.ticket import MatchmakerError
from server.effects import Deliver, Record, Reply, Stream
from tests.support.parties import CLOSED, ID, NOW, OPEN, OTHER, OTHER_ID, ROOM, TWO, closed, opened
from tests.support.players import ALICE, BOB, CAROL


def test_a_promoted_member_leads() -> None:
    bench = opened(ALICE, BOB)

    assert bench.parties.promote(ALICE, ID, BOB) == [
        Reply(),
        Deliver(ROOM, PartyLeader(party_id=ID, presence=BOB)),
    ]
    with pytest.raises(PartyRefused, match="party leader only"):
        bench.parties.promote(ALICE, ID, ALICE)


def test_only_a_member_is_promoted() -> None:
    bench = opened(ALICE, BOB)
    elsewhere = UserPresence(user_id=BOB.user_id, session_id="x", username=BOB.username)

    for named in (CAROL, elsewhere):
        with pytest.raises(PartyRefused, match="party member not found"):
            bench.parties.promote(ALICE, ID, named)


def test_what_only_the_leader_may_is_refused_to_members_and_strangers() -> None:
    bench = opened(ALICE, BOB)
    before = bench.members()

    for player in (BOB, CAROL):
        for action in (
            lambda me: bench.parties.promote(me, ID, BOB),
            lambda me: bench.parties.accept(me, ID, BOB),
            lambda me: bench.parties.remove(me, ID, ALICE),
            lambda me: bench.parties.end(me, ID),
            lambda me: bench.parties.requests_of(me, ID),
            lambda me: bench.parties.update(me, ID, PartyUpdate(label="lab")),
            lambda me: bench.parties.search(me, ID, TWO, "ticket", NOW),
            lambda me: bench.parties.stop_search(me, ID, "ticket"),
        ):
            with pytest.raises(PartyRefused, match="party leader only"):
                action(player)
    assert bench.members() == before


def test_an_update_is_answered_and_told_to_all_as_it_was_said() -> None:
    bench = opened(ALICE, BOB)

    effects = bench.parties.update(ALICE, ID, PartyUpdate(party_id="as sent", label="", hidden=True))

    assert effects == [Reply(), Deliver(ROOM, PartyUpdate(party_id=ID, hidden=True))]
    with pytest.raises(PartyRefused):
        bench.parties.accept(ALICE, ID, CAROL)
    bench.parties.join(CAROL, ID)
    assert bench.parties.requests_of(ALICE, ID) == (CAROL,)


def test_an_update_with_a_bad_label_changes_nothing() -> None:
    bench = opened(ALICE)

    with pytest.raises(LabelError):
        bench.parties.update(ALICE, ID, PartyUpdate(label="[]", hidden=True))

    listing = bench.parties.listing(1, is_open=True)
    listing.look(1)
    assert [room.id for room in listing.page()[0]] == [ID]


def test_data_goes_to_all_other_members_under_the_senders_name() -> None:
    bench = opened(ALICE, BOB)

    effects = bench.parties.send(ALICE, ID, PartyDataSend(op_code=7, data=b"\x00\xff"))

    data = PartyData(party_id=ID, presence=ALICE, op_code=7, data=b"\x00\xff")
    assert effects == [Reply(), Deliver(ROOM, data, skip=ALICE.session_id)]


def test_data_from_outside_is_refused() -> None:
    with pytest.raises(PartyRefused, match="party member not found"):
        opened(ALICE).parties.send(BOB, ID, PartyDataSend())


# ---- going


def test_a_leave_is_answered_and_told_to_those_who_stay() -> None:
    bench = opened(ALICE, BOB)

    left = Deliver(ROOM, PartyPresenceEvent(party_id=ID, leaves=(BOB,)))
    assert bench.parties.leave(BOB, ID) == [Reply(), left]
    assert bench.parties.leave(BOB, ID) == [Reply()]
    assert bench.parties.leave(BOB, OTHER) == [Reply()]


def test_when_the_leader_leaves_the_oldest_member_leads() -> None:
    bench = opened(ALICE, BOB, CAROL)
    bench.parties.promote(ALICE, ID, CAROL)

    effects = bench.parties.leave(CAROL, ID)

    assert effects == [
        Reply(),
        Deliver(ROOM, PartyLeader(party_id=ID, presence=ALICE)),
        Deliver(ROOM, PartyPresenceEvent(party_id=ID, leaves=(CAROL,))),
    ]
    bench.parties.leave(ALICE, ID)
    bench.parties.update(BOB, ID, PartyUpdate())


def test_whoever_comes_back_is_the_youngest() -> None:
    bench = opened(ALICE, BOB, CAROL)
    bench.parties.leave(BOB, ID)
    bench.parties.join(BOB, ID)

    bench.parties.leave(ALICE, ID)

    assert bench.parties.requests_of(CAROL, ID) == ()


def test_the_last_one_ends_the_party_and_drops_its_requests() -> None:
    bench = closed(ALICE)
    bench.parties.join(BOB, ID)

    assert bench.parties.leave(ALICE, ID) == [Reply(), Record("party_ended", {"party_id": ID})]
    assert len(bench.parties) == len(bench.presences) == bench.parties.requests == 0
    with pytest.raises(PartyRefused, match="party not found"):
        bench.parties.join(BOB, ID)


def test_a_removed_member_hears_that_it_is_over_and_the_others_that_they_left() -> None:
    bench = opened(ALICE, BOB, CAROL)

    assert bench.parties.remove(ALICE, ID, BOB) == [
        Reply(),
        Deliver((BOB.session_id,), PartyClose(party_id=ID)),
        Deliver(ROOM, PartyPresenceEvent(party_id=ID, leaves=(BOB,))),
    ]
    assert bench.members() == [ALICE, CAROL]


def test_a_request_is_turned_down_in_silence_and_may_be_made_again() -> None:
    bench = closed(ALICE)
    bench.parties.join(BOB, ID)

    assert bench.parties.remove(ALICE, ID, BOB) == [Reply()]
    assert bench.parties.requests == 0
    bench.parties.join(BOB, ID)

    assert bench.parties.requests_of(ALICE, ID) == (BOB,)


def test_the_leader_does_not_remove_themselves_nor_a_stranger() -> None:
    bench = opened(ALICE)

    with pytest.raises(PartyRefused, match="party cannot remove self"):
        bench.parties.remove(ALICE, ID, ALICE)
    with pytest.raises(PartyRefused, match="party member not found"):
        bench.parties.remove(ALICE, ID, BOB)


def test_a_party_that_is_closed_is_over_for_all_before_the_leader_is_answered() -> None:
    bench = opened(ALICE, BOB)
    bench.parties.search(ALICE, ID, TWO, "ticket", NOW)

    effects = bench.parties.end(ALICE, ID)

    told = Deliver((ALICE.session_id, BOB.session_id), PartyClose(party_id=ID))
    assert effects == [told, Reply(), Record("party_ended", {"party_id": ID})]
    assert len(bench.parties) == len(bench.presences) == len(bench.matchmaker) == 0


def test_a_session_that_ends_leaves_its_parties_and_takes_its_requests_along() -> None:
    bench = opened(ALICE, BOB)
    bench.parties.create(CAROL, CLOSED, OTHER_ID, NOW)
    bench.parties.join(ALICE, OTHER)

    effects = bench.parties.close(ALICE)

    assert effects == [
        Deliver(ROOM, PartyLeader(party_id=ID, presence=BOB)),
        Deliver(ROOM, PartyPresenceEvent(party_id=ID, leaves=(ALICE,))),
    ]
    assert bench.parties.requests == 0
    assert bench.parties.close(ALICE) == []


def test_a_stream_of_game_code_that_looks_like_a_party_is_left_alone() -> None:
    bench = opened(ALICE)
    bench.presences.track(Stream(MODE, OTHER_ID, label="game"), ALICE)

    bench.parties.close(ALICE)

    assert len(bench.parties) == 0
    assert len(bench.presences) == 1


def test_listings_that_are_cut_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.core.party_list.MAX_WORK", 1)
    bench = opened(ALICE)
    bench.parties.create(BOB, OPEN, OTHER_ID, NOW)

    bench.parties.listing(10).look(100)

    assert bench.parties.cut_listings == 1


# ---- searching together


def test_a_party_searches_with_all_its_members() -> None:
    bench = opened(ALICE, BOB)

    assert bench.parties.search(ALICE, ID, TWO, "ticket", NOW) == ROOM
    with pytest.raises(MatchmakerError, match="matchmaker ticket not found"):
        bench.parties.stop_search(ALICE, ID, "garbage")
    bench.parties.stop_search(ALICE, ID, "ticket")

    assert len(bench.matchmaker) == 0


def test_a_search_of_one_party_is_not_withdrawn_by_another() -> None:
    bench = opened(ALICE)
    bench.parties.search(ALICE, ID, TWO, "ticket", NOW)
    bench.parties.create(BOB, OPEN, OTHER_ID, NOW)

    with pytest.raises(MatchmakerError, match="matchmaker ticket not found"):
        bench.parties.stop_search(BOB, OTHER, "ticket")


@pytest.mark.parametrize("change", ["join", "leave", "remove", "session ends", "accept"])
def test_whatever_changes_who_is_in_it_withdraws_the_partys_tickets(change: str) -> None:
    bench = opened(ALICE, BOB)
    if change == "accept":
        bench.parties.update(ALICE, ID, PartyUpdate())
        bench.parties.join(CAROL, ID)
    bench.parties.search(ALICE, ID, TWO, "one", NOW)
    bench.parties.search(ALICE, ID, TWO, "two", NOW)
    assert len(bench.matchmaker) == 2

    match change:
        case "join":
            bench.parties.join(CAROL, ID)
        case "leave":
            bench.parties.leave(BOB, ID)
        case "remove":
            bench.parties.remove(ALICE, ID, BOB)
        case "session ends":
            bench.parties.close(BOB)
        case _:
            bench.parties.accept(ALICE, ID, CAROL)

    assert len(bench.matchmaker) == 0


def test_a_new_leader_and_new_requests_leave_the_tickets_alone() -> None:
    bench = closed(ALICE, BOB)
    bench.parties.search(ALICE, ID, TWO, "ticket", NOW)

    bench.parties.join(CAROL, ID)
    bench.parties.remove(ALICE, ID, CAROL)
    bench.parties.promote(ALICE, ID, BOB)
    bench.parties.update(BOB, ID, PartyUpdate(open=True))

    assert len(bench.matchmaker) == 1
    bench.parties.stop_search(BOB, ID, "ticket")
