"""Channels: joining, leaving, who is seen, and what messages look like."""

from datetime import UTC, datetime

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import (
    Channel,
    ChannelMessage,
    ChannelMessageAck,
    ChannelPresenceEvent,
    UserPresence,
)
from server.core.channel import UPDATED, Channels, ack_of, check_message_id, told
from server.core.presence import Presences
from server.effects import Deliver, Effects, Reply, Stream
from tests.support.players import ALICE, BOB, CAROL, NEW_ID

LOBBY = Stream(2, label="lobby")
ID = "2...lobby"
DIRECT = Stream(4, ALICE.user_id, BOB.user_id)


def made(presences: Presences | None = None, *, most: int = 10) -> Channels:
    presences = Presences() if presences is None else presences
    return Channels(presences, channels_per_session=most, content_bytes=100)


def join(channels: Channels, me: UserPresence, stream: Stream = LOBBY, *, hidden: bool = False) -> Effects:
    return channels.join(me, stream, persistence=True, hidden=hidden)


def inside(player: UserPresence, *, persistence: bool = True) -> UserPresence:
    """A player's presence in a channel."""
    return UserPresence(
        user_id=player.user_id,
        session_id=player.session_id,
        username=player.username,
        persistence=persistence,
    )


def event(joins: tuple[UserPresence, ...] = (), leaves: tuple[UserPresence, ...] = ()) -> Deliver:
    return Deliver(LOBBY, ChannelPresenceEvent(channel_id=ID, joins=joins, leaves=leaves, room_name="lobby"))


def answer(effects: Effects) -> Channel:
    assert isinstance(effects[0], Reply)
    assert isinstance(effects[0].message, Channel)
    return effects[0].message


def test_a_joiner_is_told_of_the_others_and_then_all_of_the_joiner() -> None:
    channels = made()
    join(channels, ALICE)

    effects = join(channels, BOB)

    assert effects == [
        Reply(Channel(id=ID, presences=(inside(ALICE),), self=inside(BOB), room_name="lobby")),
        event(joins=(inside(BOB),)),
    ]


def test_joining_again_answers_with_oneself_included_and_changes_nothing() -> None:
    channels = made()
    join(channels, ALICE)
    join(channels, BOB)

    effects = channels.join(BOB, LOBBY, persistence=False, hidden=True)

    assert effects == [
        Reply(Channel(id=ID, presences=(inside(ALICE), inside(BOB)), self=inside(BOB), room_name="lobby"))
    ]


def test_a_hidden_member_is_not_seen_and_sees_all() -> None:
    presences = Presences()
    channels = made(presences)
    join(channels, ALICE)

    hidden = join(channels, BOB, hidden=True)
    third = join(channels, CAROL)

    assert hidden == [Reply(Channel(id=ID, presences=(inside(ALICE),), self=inside(BOB), room_name="lobby"))]
    assert answer(third).presences == (inside(ALICE),)
    assert BOB.session_id in presences.receivers(LOBBY)
    assert channels.leave(BOB, ID) == [Reply()]


def test_who_was_hidden_once_is_seen_after_coming_back() -> None:
    channels = made()
    join(channels, ALICE)
    join(channels, BOB, hidden=True)
    channels.leave(BOB, ID)

    assert join(channels, BOB)[1:] == [event(joins=(inside(BOB),))]


def test_a_leave_is_answered_and_told_to_those_who_stay() -> None:
    channels = made()
    join(channels, ALICE)
    join(channels, BOB)

    assert channels.leave(BOB, ID) == [Reply(), event(leaves=(inside(BOB),))]
    assert channels.leave(BOB, ID) == [Reply()]
    assert channels.leave(ALICE, ID) == [Reply()]
    assert len(channels) == 0


def test_a_leave_of_no_channel_is_refused() -> None:
    with pytest.raises(RequestError, match="Invalid channel identifier"):
        made().leave(ALICE, "garbage")


def test_a_session_that_ends_leaves_all_its_channels() -> None:
    presences = Presences()
    channels = made(presences)
    for stream in (LOBBY, Stream(2, label="other"), DIRECT):
        join(channels, ALICE, stream)
    join(channels, BOB)
    join(channels, BOB, Stream(2, label="secret"), hidden=True)

    assert channels.close(ALICE) == [event(leaves=(inside(ALICE),))]
    assert channels.close(ALICE) == []
    assert channels.close(BOB) == []
    assert len(channels) == len(presences) == 0


def test_a_channel_too_many_is_refused_and_counted_but_staying_is_not_joining() -> None:
    channels = made(most=2)
    join(channels, ALICE)
    join(channels, ALICE, DIRECT)

    join(channels, ALICE)
    with pytest.raises(RequestError, match="more than 2 channels") as refused:
        join(channels, ALICE, Stream(2, label="third"))
    with pytest.raises(RequestError, match="more than 2 channels"):
        channels.missing_from(ALICE, Stream(4, ALICE.user_id, CAROL.user_id))

    assert refused.value.code is ErrorCode.BAD_INPUT
    assert (len(channels), channels.refused) == (2, 2)
    channels.leave(ALICE, ID)
    join(channels, ALICE, Stream(2, label="third"))


def test_a_newcomer_finds_out_who_is_missing() -> None:
    channels = made()

    assert channels.missing_from(ALICE, DIRECT) == BOB.user_id
    join(channels, ALICE, DIRECT)
    assert channels.missing_from(ALICE, DIRECT) is None
    assert channels.missing_from(BOB, DIRECT) is None
    assert channels.missing_from(ALICE, Stream(4, ALICE.user_id, ALICE.user_id)) is None
    assert channels.missing_from(BOB, LOBBY) is None


def test_only_members_speak() -> None:
    channels = made()
    channels.join(ALICE, LOBBY, persistence=False, hidden=False)

    assert channels.member(ALICE, LOBBY, "sending") == inside(ALICE, persistence=False)
    with pytest.raises(RequestError, match="Must join channel before sending messages") as refused:
        channels.member(BOB, LOBBY, "sending")
    assert refused.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize(
    "content", ["{}", '{"text":"hi"}', ' {"a":[1]} ', '{"n":' + "1" * 94 + "}", '{"x":"\\ud800"}']
)
def test_content_is_a_json_object(content: str) -> None:
    made().check_content(content)


@pytest.mark.parametrize(
    "content",
    ["", " ", "notjson", '"str"', "[]", "1", "null", '{"x":NaN}', "{}}", "[" * 100, '{"x":"\n"}', '"\ud800"'],
)
def test_content_that_is_none_is_refused(content: str) -> None:
    with pytest.raises(RequestError) as refused:
        made().check_content(content)

    assert refused.value.message == "Message content must be a valid JSON object"


def test_content_has_a_limit_in_bytes() -> None:
    made().check_content('{"x":"' + "é" * 46 + '"}')
    with pytest.raises(RequestError, match="not be longer than 100 bytes"):
        made().check_content('{"x":"' + "é" * 46 + ' "}')


def test_content_of_any_depth_is_told_apart_from_an_object() -> None:
    deep = Channels(Presences(), channels_per_session=1, content_bytes=10**6)

    with pytest.raises(RequestError, match="valid JSON object"):
        deep.check_content('{"a":' * 100_000)


def test_a_message_id_is_a_uuid_in_its_canonical_form() -> None:
    assert check_message_id(NEW_ID.upper()) == NEW_ID
    with pytest.raises(RequestError, match="Invalid message identifier"):
        check_message_id("garbage")


def test_a_message_is_told_to_all_with_its_content_and_acknowledged_without() -> None:
    created = datetime(1970, 1, 1, 0, 0, 5, 120_000, tzinfo=UTC)
    updated = datetime(1970, 1, 1, 0, 0, 7, 1, tzinfo=UTC)

    message = told(DIRECT, inside(BOB), NEW_ID, '{"a":1}', code=UPDATED, created=5_120_000, updated=7_000_001)

    common = {
        "channel_id": f"4.{ALICE.user_id}.{BOB.user_id}.",
        "message_id": NEW_ID,
        "code": 1,
        "username": "bob",
        "create_time": created,
        "update_time": updated,
        "persistent": True,
        "user_id_one": ALICE.user_id,
        "user_id_two": BOB.user_id,
    }
    assert message == ChannelMessage(sender_id=BOB.user_id, content='{"a":1}', **common)  # type: ignore[arg-type]  # a dict of fields
    assert ack_of(message) == ChannelMessageAck(**common)  # type: ignore[arg-type]  # a dict of fields
