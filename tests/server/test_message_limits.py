"""What one player may do per minute, whatever the socket."""

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.message import Message
from protocol.messages import INCOMING, MatchCreate, PartyCreate, Ping, StatusUpdate
from server.message_limits import CLASSES, MessageLimits
from server.sections import SocketSettings
from tests.support.clock import ManualClock
from tests.support.players import ALICE, BOB

CLOCK = ManualClock()


def limits(clock: ManualClock = CLOCK, max_players: int = 10, **per_minute: int) -> MessageLimits:
    return MessageLimits(dict.fromkeys(CLASSES, 0) | per_minute, now=clock.monotonic, max_players=max_players)


def passes(limits: MessageLimits, message: type[Message], user_id: str = ALICE.user_id) -> bool:
    try:
        limits.check(user_id, message)
    except RequestError:
        return False
    return True


def test_a_minutes_worth_may_come_at_once_and_then_what_time_brings() -> None:
    clock = ManualClock()
    found = limits(clock, status_updates_per_minute=6)

    assert [passes(found, StatusUpdate) for _ in range(7)] == [True] * 6 + [False]
    clock.advance(10)
    assert [passes(found, StatusUpdate) for _ in range(2)] == [True, False]
    assert found.refused == {"status_updates_per_minute": 2}


def test_each_player_has_their_own() -> None:
    found = limits(status_updates_per_minute=1)

    assert passes(found, StatusUpdate)
    assert passes(found, StatusUpdate, BOB.user_id)
    assert not passes(found, StatusUpdate)


def test_messages_of_one_class_share_a_limit() -> None:
    found = limits(creates_per_minute=2)

    assert passes(found, MatchCreate)
    assert passes(found, PartyCreate)
    assert not passes(found, MatchCreate)


def test_the_refusal_names_the_setting() -> None:
    found = limits(creates_per_minute=1)
    found.check(ALICE.user_id, MatchCreate)

    with pytest.raises(RequestError, match=r"^Too often: over socket\.creates_per_minute$") as caught:
        found.check(ALICE.user_id, MatchCreate)
    assert caught.value.code is ErrorCode.BAD_INPUT


def test_only_so_many_players_are_counted() -> None:
    found = limits(max_players=2, creates_per_minute=1)

    assert [passes(found, MatchCreate, f"{n}") for n in range(4)] == [True, True, False, False]


def test_what_has_no_limit_is_not_asked_about() -> None:
    found = limits(status_updates_per_minute=1)

    assert set(found.classes) == {StatusUpdate}
    assert Ping not in MessageLimits(dict.fromkeys(CLASSES, 1), now=CLOCK.monotonic).classes


def test_every_class_is_a_setting_and_holds_messages_of_clients() -> None:
    assert set(CLASSES) <= set(SocketSettings.model_fields)
    for messages in CLASSES.values():
        assert set(messages) <= set(INCOMING.values())
