"""Status lines and followers."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import Status, StatusPresenceEvent, UserPresence
from server.core.presence import Presences
from server.core.status import Statuses
from server.effects import Deliver, Reply
from tests.support.players import ALICE, BOB, CAROL, shown


def online(follows_per_session: int = 10) -> Statuses:
    statuses = Statuses(Presences(), follows_per_session)
    for player in (ALICE, BOB):
        statuses.open(player, appear=False)
    return statuses


def test_a_session_that_appears_hears_of_itself() -> None:
    statuses = Statuses(Presences(), 10)

    effects = statuses.open(ALICE, appear=True)

    assert effects == [Deliver((ALICE.session_id,), StatusPresenceEvent(joins=(shown(ALICE, ""),)))]
    assert statuses.is_online(ALICE.user_id)


def test_a_session_that_does_not_appear_is_not_online() -> None:
    statuses = Statuses(Presences(), 10)

    assert statuses.open(ALICE, appear=False) == []
    assert not statuses.is_online(ALICE.user_id)


def test_an_update_is_answered_and_then_told_to_oneself_and_the_followers() -> None:
    statuses = online()
    statuses.follow(BOB, [ALICE.user_id])
    statuses.update(ALICE, "first")

    effects = statuses.update(ALICE, "second")

    event = StatusPresenceEvent(joins=(shown(ALICE, "second"),), leaves=(shown(ALICE, "first"),))
    assert effects == [Reply(), Deliver((ALICE.session_id, BOB.session_id), event)]


def test_the_same_status_again_is_still_an_event() -> None:
    statuses = online()
    statuses.update(ALICE, "same")

    effects = statuses.update(ALICE, "same")

    assert len(effects) == 2


def test_going_offline_is_a_leave_with_the_last_status() -> None:
    statuses = online()
    statuses.update(ALICE, "here")

    assert statuses.update(ALICE, None) == [
        Reply(),
        Deliver((ALICE.session_id,), StatusPresenceEvent(leaves=(shown(ALICE, "here"),))),
    ]
    assert statuses.update(ALICE, None) == [Reply()]
    assert not statuses.is_online(ALICE.user_id)


@pytest.mark.parametrize(("text", "good"), [("x" * 2048, True), ("x" * 2049, False), ("é" * 1025, False)])
def test_a_status_has_2048_bytes_at_most(text: str, good: bool) -> None:
    statuses = online()

    if good:
        assert statuses.update(ALICE, text)
    else:
        with pytest.raises(RequestError, match="Status must be 2048 characters or less") as refused:
            statuses.update(ALICE, text)
        assert refused.value.code is ErrorCode.BAD_INPUT


def test_a_follow_is_answered_with_what_is_shown_now_also_when_repeated() -> None:
    statuses = online()
    statuses.update(ALICE, "here")

    first = statuses.follow(BOB, [ALICE.user_id, CAROL.user_id])
    again = statuses.follow(BOB, [ALICE.user_id])

    assert first == again == [Reply(Status(presences=(shown(ALICE, "here"),)))]
    assert statuses.follows == 2


def test_following_oneself_is_skipped() -> None:
    statuses = online()
    statuses.update(ALICE, "here")

    assert statuses.follow(ALICE, [ALICE.user_id]) == [Reply(Status())]
    assert statuses.follows == 0


def test_a_follow_too_many_is_refused_whole_and_a_repeat_is_none() -> None:
    statuses = online(follows_per_session=2)
    statuses.follow(ALICE, [BOB.user_id, CAROL.user_id])

    statuses.follow(ALICE, [BOB.user_id])
    with pytest.raises(RequestError, match="more than 2"):
        statuses.follow(ALICE, ["44444444-4444-4444-8444-444444444444"])

    assert statuses.follows == 2


def test_after_unfollowing_nothing_is_heard() -> None:
    statuses = online()
    statuses.follow(BOB, [ALICE.user_id])

    assert statuses.unfollow(BOB, [ALICE.user_id, CAROL.user_id]) == [Reply()]

    assert statuses.update(ALICE, "x")[1] == Deliver(
        (ALICE.session_id,), StatusPresenceEvent(joins=(shown(ALICE, "x"),))
    )
    assert statuses.unfollow(BOB, [ALICE.user_id]) == [Reply()]


def test_unfollowing_oneself_keeps_the_own_events() -> None:
    statuses = online()

    statuses.unfollow(ALICE, [ALICE.user_id])

    assert len(statuses.update(ALICE, "x")) == 2


def test_a_session_that_ends_leaves_its_status_to_its_followers_and_nothing_behind() -> None:
    presences = Presences()
    statuses = Statuses(presences, 10)
    statuses.open(ALICE, appear=True)
    statuses.open(BOB, appear=True)
    statuses.follow(ALICE, [BOB.user_id])
    statuses.follow(BOB, [ALICE.user_id])

    effects = statuses.close(ALICE)
    statuses.close(BOB)

    assert effects == [Deliver((BOB.session_id,), StatusPresenceEvent(leaves=(shown(ALICE, ""),)))]
    assert len(presences) == 0
    assert [value for name, value in vars(statuses).items() if isinstance(value, dict) and value] == []


def test_two_sessions_of_one_player_hear_of_each_other() -> None:
    statuses = online()
    second = shown(ALICE, "")
    second = type(second)(user_id=ALICE.user_id, session_id="second", username=ALICE.username)
    statuses.open(second, appear=True)

    effects = statuses.update(ALICE, "x")

    assert isinstance(effects[1], Deliver)
    assert effects[1].to == (ALICE.session_id, "second")


def test_the_open_sessions_of_a_player_are_known_with_or_without_a_status() -> None:
    statuses = Statuses(Presences(), 10)
    other = UserPresence(user_id=ALICE.user_id, session_id="another", username="alice")
    statuses.open(ALICE, appear=True)
    statuses.open(other, appear=False)

    assert statuses.sessions_of(ALICE.user_id) == (ALICE.session_id, "another")
    statuses.close(ALICE)
    assert statuses.sessions_of(ALICE.user_id) == ("another",)
    assert statuses.sessions_of(BOB.user_id) == ()
