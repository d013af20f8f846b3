"""Matches: which rule a message reaches, and with what."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Match, MatchCreate, MatchData, MatchDataSend, MatchJoin, MatchLeave
from server.effects import Deliver, Effects, Reply, Stream
from server.handlers import match
from tests.support.players import ALICE, BOB, NEW_ID
from tests.support.world import Invitations, empty_world

ID = f"{NEW_ID}."


def answer(effects: Effects) -> Match:
    assert isinstance(effects[0], Reply)
    assert isinstance(effects[0].message, Match)
    return effects[0].message


def test_a_match_gets_a_new_id() -> None:
    assert answer(match.create(empty_world(), ALICE, MatchCreate())).match_id == ID


def test_a_match_is_joined_by_its_id() -> None:
    world = empty_world()
    match.create(world, ALICE, MatchCreate())

    assert answer(match.join(world, BOB, MatchJoin(match_id=ID))).presences == (ALICE,)


def test_a_good_token_leads_into_its_match_even_if_nobody_is_there() -> None:
    world = empty_world(invitations=Invitations({"good": ID}))

    assert answer(match.join(world, BOB, MatchJoin(token="good"))).match_id == ID


def test_a_token_that_is_not_ours_is_refused() -> None:
    with pytest.raises(RequestError, match="Invalid match token") as refused:
        match.join(empty_world(), BOB, MatchJoin(token="forged"))

    assert refused.value.code is ErrorCode.BAD_INPUT


def test_neither_id_nor_token_is_refused() -> None:
    with pytest.raises(RequestError, match="No match ID or token found"):
        match.join(empty_world(), BOB, MatchJoin())


def test_an_empty_id_is_one_that_is_invalid() -> None:
    with pytest.raises(RequestError, match="Invalid match ID"):
        match.join(empty_world(), BOB, MatchJoin(match_id=""))


def test_leaving_and_sending_reach_the_match() -> None:
    world = empty_world()
    match.create(world, ALICE, MatchCreate())
    match.join(world, BOB, MatchJoin(match_id=ID))

    sent = match.send(world, ALICE, MatchDataSend(match_id=ID, op_code=3))
    match.leave(world, BOB, MatchLeave(match_id=ID))

    assert sent == [
        Deliver(Stream(5, NEW_ID), MatchData(match_id=ID, presence=ALICE, op_code=3), skip=ALICE.session_id)
    ]
    assert list(world.presences.members(Stream(5, NEW_ID)).values()) == [ALICE]
