"""Status: who may be followed, and how they are named."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Status, StatusFollow, StatusUnfollow, StatusUpdate
from server.effects import Reply
from server.handlers import status
from tests.support.players import ALICE, BOB, CAROL, shown
from tests.support.world import KnownUsers, empty_world

EVERYBODY = {ALICE.user_id: "alice", BOB.user_id: "bob"}


async def test_players_are_followed_by_id_and_by_name() -> None:
    users = KnownUsers(EVERYBODY | {CAROL.user_id: "carol"})
    world = empty_world(users)
    world.statuses.open(BOB, appear=True)
    world.statuses.open(CAROL, appear=True)

    effects = await status.follow(world, ALICE, StatusFollow(user_ids=(BOB.user_id,), usernames=("carol",)))

    assert effects == [Reply(Status(presences=(shown(BOB, ""), shown(CAROL, ""))))]
    assert users.asked == [([BOB.user_id], ["carol"])]


async def test_an_id_is_recognised_in_any_spelling() -> None:
    world = empty_world(KnownUsers(EVERYBODY))
    world.statuses.open(BOB, appear=True)

    effects = await status.follow(world, ALICE, StatusFollow(user_ids=(BOB.user_id.upper(),)))

    assert effects == [Reply(Status(presences=(shown(BOB, ""),)))]


async def test_players_who_do_not_exist_are_skipped_and_take_no_memory() -> None:
    world = empty_world(KnownUsers(EVERYBODY))

    effects = await status.follow(
        world, ALICE, StatusFollow(user_ids=(CAROL.user_id,), usernames=("nobody",))
    )

    assert effects == [Reply(Status())]
    assert world.statuses.follows == 0


@pytest.mark.parametrize("message", [StatusFollow(), StatusFollow(user_ids=(ALICE.user_id,))])
async def test_following_nobody_or_oneself_needs_no_database(message: StatusFollow) -> None:
    users = KnownUsers(EVERYBODY)

    assert await status.follow(empty_world(users), ALICE, message) == [Reply(Status())]

    assert users.asked == []


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (StatusFollow(user_ids=(BOB.user_id, "garbage")), "Invalid user identifier"),
        (StatusFollow(usernames=("bob", "")), "Invalid username"),
    ],
)
async def test_what_names_nobody_is_refused_whole(message: StatusFollow, text: str) -> None:
    world = empty_world(KnownUsers(EVERYBODY))

    with pytest.raises(RequestError, match=text) as refused:
        await status.follow(world, ALICE, message)

    assert refused.value.code is ErrorCode.BAD_INPUT
    assert world.statuses.follows == 0


async def test_unfollowing_and_updating_reach_the_rule() -> None:
    world = empty_world(KnownUsers(EVERYBODY))
    await status.follow(world, ALICE, StatusFollow(user_ids=(BOB.user_id,)))

    assert status.unfollow(world, ALICE, StatusUnfollow(user_ids=(BOB.user_id,))) == [Reply()]
    assert status.update(world, ALICE, StatusUpdate(status="here"))[0] == Reply()

    assert world.statuses.follows == 0
    assert world.statuses.is_online(ALICE.user_id)
    with pytest.raises(RequestError, match="Invalid user identifier"):
        status.unfollow(world, ALICE, StatusUnfollow(user_ids=("garbage",)))
