"""Parties: which rule a request reaches, and how its refusal reads."""

from collections.abc import Callable
from typing import Any

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import (
    Party,
    PartyAccept,
    PartyClose,
    PartyCreate,
    PartyData,
    PartyDataSend,
    PartyJoin,
    PartyJoinRequest,
    PartyJoinRequestList,
    PartyLeave,
    PartyMatchmakerAdd,
    PartyMatchmakerRemove,
    PartyMatchmakerTicket,
    PartyPromote,
    PartyRemove,
    PartyUpdate,
    UserPresence,
)
from server.effects import Deliver, Effects, Reply
from server.handlers import party
from server.world import World
from tests.support.parties import ID, ROOM
from tests.support.players import ALICE, BOB, CAROL, NEW_ID
from tests.support.world import empty_world

UNKNOWN = f"12345678-1234-4234-8234-123456789012.{ID.partition('.')[2]}"
Handler = Callable[[World, UserPresence, Any], Effects]


def with_party(*members: UserPresence, is_open: bool = True, max_size: int = 4) -> World:
    world = empty_world()
    party.create(world, members[0], PartyCreate(open=True, max_size=max_size))
    for member in members[1:]:
        party.join(world, member, PartyJoin(party_id=ID))
    party.update(world, members[0], PartyUpdate(party_id=ID, open=is_open))
    return world


def refused(handler: Handler, world: World, me: UserPresence, message: Any) -> str:
    with pytest.raises(RequestError) as error:
        handler(world, me, message)
    assert (error.value.code, error.value.keep_cid) == (ErrorCode.BAD_INPUT, True)
    return error.value.message


def test_a_party_gets_a_new_id_with_the_name_of_this_node() -> None:
    effects = party.create(empty_world(), ALICE, PartyCreate(max_size=256))

    assert isinstance(effects[0], Reply)
    assert isinstance(effects[0].message, Party)
    assert effects[0].message.party_id == f"{NEW_ID}.node1"


@pytest.mark.parametrize("max_size", [-1, 257, 2**31 - 1])
def test_a_size_out_of_bounds_is_refused(max_size: int) -> None:
    told = refused(party.create, empty_world(), ALICE, PartyCreate(max_size=max_size))

    assert told == "Invalid party max size, must be 1-256"


@pytest.mark.parametrize("max_size", [0, 1, 256])
def test_a_size_at_the_edge_passes(max_size: int) -> None:
    assert party.create(empty_world(), ALICE, PartyCreate(max_size=max_size))


ACTIONS: list[tuple[Handler, Callable[[str], Any], str]] = [
    (party.join, lambda at: PartyJoin(party_id=at), "joining party"),
    (party.promote, lambda at: PartyPromote(party_id=at, presence=BOB), "promoting new party leader"),
    (party.accept, lambda at: PartyAccept(party_id=at, presence=BOB), "accepting party join request"),
    (
        party.remove,
        lambda at: PartyRemove(party_id=at, presence=BOB),
        "removing party member or join request",
    ),
    (party.close, lambda at: PartyClose(party_id=at), "closing party"),
    (party.list_requests, lambda at: PartyJoinRequestList(party_id=at), "listing party join requests"),
    (
        party.matchmaker_add,
        lambda at: PartyMatchmakerAdd(party_id=at, min_count=2, max_count=2),
        "adding party to matchmaker",
    ),
    (party.matchmaker_remove, lambda at: PartyMatchmakerRemove(party_id=at, ticket="t"), "closing party"),
    (party.send, lambda at: PartyDataSend(party_id=at), "sending party data"),
    (party.update, lambda at: PartyUpdate(party_id=at), "updating party"),
]


@pytest.mark.parametrize(("handler", "ask", "doing"), ACTIONS)
def test_a_refusal_says_what_was_tried_and_why_not(
    handler: Handler, ask: Callable[[str], Any], doing: str
) -> None:
    world = with_party(ALICE)

    assert refused(handler, world, ALICE, ask(UNKNOWN)) == f"Error {doing}: party not found"


@pytest.mark.parametrize("party_id", ["", "garbage", NEW_ID, ".", ".node1", "x.node1"])
@pytest.mark.parametrize(
    ("handler", "ask"),
    [*[action[:2] for action in ACTIONS], (party.leave, lambda at: PartyLeave(party_id=at))],
)
def test_an_id_that_is_none_is_refused(handler: Handler, ask: Callable[[str], Any], party_id: str) -> None:
    assert refused(handler, with_party(ALICE), ALICE, ask(party_id)) == "Invalid party ID"


@pytest.mark.parametrize(
    "presence",
    [
        None,
        UserPresence(),
        UserPresence(user_id="u", session_id="s"),
        UserPresence(user_id="u", username="n"),
        UserPresence(session_id="s", username="n"),
    ],
)
@pytest.mark.parametrize(
    ("handler", "message"),
    [(party.promote, PartyPromote), (party.accept, PartyAccept), (party.remove, PartyRemove)],
)
def test_a_player_who_is_not_named_in_full_is_refused_before_the_party_is_looked_for(
    handler: Handler, message: Callable[..., Any], presence: UserPresence | None
) -> None:
    told = refused(handler, empty_world(), ALICE, message(party_id="garbage", presence=presence))

    assert told == "Invalid presence"


def test_a_party_is_found_by_its_id_in_any_spelling() -> None:
    world = with_party(ALICE)
    spelled = f"{NEW_ID.upper()}.node1"

    party.join(world, BOB, PartyJoin(party_id=spelled))
    answer = party.list_requests(world, ALICE, PartyJoinRequestList(party_id=spelled))

    assert list(world.presences.members(ROOM).values()) == [ALICE, BOB]
    assert answer == [Reply(PartyJoinRequest(party_id=spelled))]


def test_joining_asking_accepting_and_listing_reach_the_party() -> None:
    world = with_party(ALICE, is_open=False)

    party.join(world, BOB, PartyJoin(party_id=ID))
    party.join(world, CAROL, PartyJoin(party_id=ID))
    party.accept(world, ALICE, PartyAccept(party_id=ID, presence=BOB))
    asking = party.list_requests(world, ALICE, PartyJoinRequestList(party_id=ID))

    assert asking == [Reply(PartyJoinRequest(party_id=ID, presences=(CAROL,)))]
    assert list(world.presences.members(ROOM).values()) == [ALICE, BOB]


def test_leading_sending_and_going_reach_the_party() -> None:
    world = with_party(ALICE, BOB, CAROL)

    sent = party.send(world, BOB, PartyDataSend(party_id=ID, op_code=3))
    party.promote(world, ALICE, PartyPromote(party_id=ID, presence=BOB))
    party.remove(world, BOB, PartyRemove(party_id=ID, presence=CAROL))
    party.leave(world, ALICE, PartyLeave(party_id=ID))
    left = list(world.presences.members(ROOM).values())
    ended = party.close(world, BOB, PartyClose(party_id=ID))

    data = PartyData(party_id=ID, presence=BOB, op_code=3)
    assert sent == [Reply(), Deliver(ROOM, data, skip=BOB.session_id)]
    assert left == [BOB]
    assert ended[:2] == [Deliver((BOB.session_id,), PartyClose(party_id=ID)), Reply()]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("lab", "failed to unmarshal party label: invalid character 'l' looking for beginning of value"),
        ('{"a":"' + "x" * 2048 + '"}', "party label too long, must be 0-2048 bytes"),
    ],
)
def test_a_bad_label_is_refused_with_the_reason(label: str, why: str) -> None:
    world = with_party(ALICE)

    created = refused(party.create, world, BOB, PartyCreate(label=label))
    updated = refused(party.update, world, ALICE, PartyUpdate(party_id=ID, label=label))

    assert (created, updated) == (f"Error creating party: {why}", f"Error updating party: {why}")


def test_a_search_is_answered_with_its_ticket_and_told_to_the_other_members() -> None:
    world = with_party(ALICE, BOB)

    asked = PartyMatchmakerAdd(party_id=ID, min_count=2, max_count=4, count_multiple=2)
    effects = party.matchmaker_add(world, ALICE, asked)

    ticket = PartyMatchmakerTicket(party_id=ID, ticket=NEW_ID)
    assert effects == [Reply(ticket), Deliver(ROOM, ticket, skip=ALICE.session_id)]
    withdraw = PartyMatchmakerRemove(party_id=ID, ticket=NEW_ID)
    assert party.matchmaker_remove(world, ALICE, withdraw) == [Reply()]
    assert refused(party.matchmaker_remove, world, ALICE, withdraw) == (
        "Error closing party: matchmaker ticket not found"
    )


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((1, 2, None), "Invalid minimum count, must be >= 2"),
        ((3, 2, None), "Invalid maximum count, must be >= minimum count"),
        ((2, 4, 0), "Invalid count multiple, must be >= 1"),
        ((3, 4, 2), "Invalid count multiple for minimum count, must divide"),
        ((2, 3, 2), "Invalid count multiple for maximum count, must divide"),
    ],
)
def test_bad_counts_are_refused_before_the_party_is_looked_for(
    counts: tuple[int, int, int | None], told: str
) -> None:
    low, high, multiple = counts
    asked = PartyMatchmakerAdd(party_id="garbage", min_count=low, max_count=high, count_multiple=multiple)

    assert refused(party.matchmaker_add, empty_world(), ALICE, asked) == told


def test_a_query_that_is_none_is_refused() -> None:
    asked = PartyMatchmakerAdd(party_id=ID, min_count=2, max_count=2, query="+")

    told = refused(party.matchmaker_add, with_party(ALICE), ALICE, asked)

    assert told == "Error adding party to matchmaker: matchmaker query invalid"


def test_no_ticket_is_refused_before_the_party_is_looked_for() -> None:
    told = refused(party.matchmaker_remove, empty_world(), ALICE, PartyMatchmakerRemove(party_id="garbage"))

    assert told == "Invalid matchmaker ticket"
