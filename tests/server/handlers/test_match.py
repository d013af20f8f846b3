"""Matches: which rule a message reaches, and with what."""

from typing import Any

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import (
    Match,
    MatchCreate,
    MatchData,
    MatchDataSend,
    MatchJoin,
    MatchLeave,
    MatchPresenceEvent,
    UserPresence,
)
from server.core.live_match import Left
from server.effects import Deliver, Effects, Reply, Stream
from server.handlers import match
from server.routes import Handled
from server.world import World
from tests.support.live_matches import GAME_ID, GameMatches
from tests.support.players import ALICE, BOB, NEW_ID
from tests.support.world import Invitations, empty_world

ID = f"{NEW_ID}."


def answer(effects: Handled) -> Match:
    assert isinstance(effects, list)
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


def playing(game: GameMatches) -> World:
    return empty_world(live_matches=game, invitations=Invitations({"good": GAME_ID}))


async def enter(world: World, me: UserPresence, **message: Any) -> Effects:
    handled = match.join(world, me, MatchJoin(**message))
    assert not isinstance(handled, list)
    return await handled


async def test_a_match_of_the_game_is_asked_and_answers_with_its_label() -> None:
    game = GameMatches()
    game.start(label="arena")
    world = playing(game)

    first = await enter(world, ALICE, match_id=GAME_ID, metadata={"team": "red"})
    second = await enter(world, BOB, match_id=GAME_ID.upper().replace("NODE", "node"))

    assert answer(first) == Match(match_id=GAME_ID, authoritative=True, label="arena", self=ALICE)
    assert (answer(second).size, answer(second).presences) == (1, (ALICE,))
    assert game.asked == [("alice", GAME_ID, {"team": "red"}), ("bob", GAME_ID, {})]


async def test_who_is_in_already_is_not_asked_about_again() -> None:
    game = GameMatches()
    game.start()
    world = playing(game)
    await enter(world, ALICE, match_id=GAME_ID)

    again = await enter(world, ALICE, match_id=GAME_ID, metadata={"no": "x"})

    assert (answer(again).size, answer(again).presences, len(again)) == (1, (ALICE,), 1)
    assert len(game.asked) == 1


async def test_a_token_may_lead_into_a_match_of_the_game() -> None:
    game = GameMatches()
    game.start()

    assert answer(await enter(playing(game), ALICE, token="good")).match_id == GAME_ID


@pytest.mark.parametrize(
    ("metadata", "reason"), [({"no": "wrong team"}, "wrong team"), ({"no": ""}, "Match join rejected")]
)
async def test_a_refusal_of_the_game_is_told_with_its_reason(metadata: dict[str, str], reason: str) -> None:
    game = GameMatches()
    game.start()
    world = playing(game)

    with pytest.raises(RequestError) as refused:
        await enter(world, ALICE, match_id=GAME_ID, metadata=metadata)

    assert (refused.value.code, refused.value.message) == (ErrorCode.MATCH_JOIN_REJECTED, reason)
    assert len(world.presences) == 0


@pytest.mark.parametrize("match_id", [GAME_ID, f"{NEW_ID}.node1", f"{NEW_ID}.elsewhere"])
async def test_a_match_that_does_not_run_is_not_found(match_id: str) -> None:
    with pytest.raises(RequestError, match="Match not found") as refused:
        await enter(playing(GameMatches()), ALICE, match_id=match_id)

    assert refused.value.code is ErrorCode.MATCH_NOT_FOUND


async def test_a_match_that_does_not_answer_has_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "JOIN_WAIT_S", 0.01)
    game = GameMatches()
    game.start()
    world = playing(game)

    with pytest.raises(RequestError, match="Match join rejected") as refused:
        await enter(world, ALICE, match_id=GAME_ID, metadata={"never": ""})

    assert refused.value.code is ErrorCode.MATCH_JOIN_REJECTED
    assert game.cancelled == ["alice"]
    assert len(world.presences) == 0


async def test_data_reaches_the_match_from_its_members_alone() -> None:
    game = GameMatches()
    game.start()
    world = playing(game)
    await enter(world, ALICE, match_id=GAME_ID)
    data = MatchDataSend(match_id=GAME_ID, op_code=1, data=b"x", presences=(BOB,))

    assert match.send(world, ALICE, data) == match.send(world, BOB, data) == []
    assert game.received == [("alice", data)]


@pytest.mark.parametrize("match_id", ["x.node1", "x", ""])
def test_data_for_what_is_no_match_is_refused_without_a_cid(match_id: str) -> None:
    with pytest.raises(RequestError, match="Invalid match ID") as refused:
        match.send(empty_world(), ALICE, MatchDataSend(match_id=match_id))

    assert not refused.value.keep_cid


async def test_leaving_reaches_the_match_once() -> None:
    game = GameMatches()
    game.start()
    world = playing(game)
    await enter(world, ALICE, match_id=GAME_ID)

    for _ in range(2):
        assert match.leave(world, ALICE, MatchLeave(match_id=GAME_ID)) == [Reply()]

    assert game.gone == [("alice", GAME_ID, Left.LEFT)]


OTHER = "12345678-1234-4234-8234-123456789abc."


async def test_with_one_match_at_a_time_joining_is_leaving_the_others() -> None:
    game = GameMatches()
    game.start()
    world = empty_world(live_matches=game, single_match=True)
    world.matches.create(BOB, "", OTHER[:-1])
    match.create(world, BOB, MatchCreate())
    match.join(world, ALICE, MatchJoin(match_id=OTHER))
    await enter(world, ALICE, match_id=GAME_ID)
    assert ALICE.session_id not in world.presences.members(Stream(5, OTHER[:-1]))

    effects = match.join(world, ALICE, MatchJoin(match_id=ID.upper()))
    again = match.join(world, ALICE, MatchJoin(match_id=ID))

    assert answer(effects).match_id == ID.upper()
    assert game.gone == [("alice", GAME_ID, Left.LEFT)]
    assert answer(again).size == 2
    assert set(world.presences.members(Stream(5, NEW_ID))) == {BOB.session_id, ALICE.session_id}


def test_who_stays_in_the_match_is_told_and_the_leaver_not() -> None:
    world = empty_world(single_match=True)
    world.matches.create(BOB, "", OTHER[:-1])
    match.create(world, BOB, MatchCreate())
    match.join(world, ALICE, MatchJoin(match_id=OTHER))

    effects = match.join(world, ALICE, MatchJoin(match_id=ID))

    assert isinstance(effects, list)
    left = MatchPresenceEvent(match_id=OTHER, leaves=(ALICE,))
    assert effects[2:] == [Deliver(Stream(5, OTHER[:-1]), left)]


@pytest.mark.parametrize("single_match", [True, False])
def test_opening_a_match_is_not_joining_and_failing_to_join_is_not_leaving(single_match: bool) -> None:
    world = empty_world(single_match=single_match)
    world.matches.create(ALICE, "", OTHER[:-1])
    match.create(world, ALICE, MatchCreate())

    with pytest.raises(RequestError, match="Match not found"):
        match.join(world, ALICE, MatchJoin(match_id="99999999-1234-4234-8234-123456789abc."))

    assert len(world.matches) == 2


def test_without_that_setting_one_may_be_in_several() -> None:
    world = empty_world()
    world.matches.create(BOB, "", OTHER[:-1])
    match.create(world, ALICE, MatchCreate())

    match.join(world, ALICE, MatchJoin(match_id=OTHER))

    assert len(world.matches) == 2
