"""What a client may ask of a channel: the checks, in their order, and what follows from each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from protocol.errors import RequestError
from protocol.messages import (
    Channel,
    ChannelJoin,
    ChannelLeave,
    ChannelMessageAck,
    ChannelMessageRemove,
    ChannelMessageSend,
    ChannelMessageUpdate,
)
from server.effects import Effects, Reply
from server.handlers import channel
from server.world import World
from tests.support.players import ALICE, BOB, NEW_ID
from tests.support.seats import Table
from tests.support.world import KeptChat, Known, KnownUsers, NotedNews, empty_world

LOBBY = "2...lobby"
ID = "11111111-1111-4111-8111-111111111111"
BOTH = {ALICE.user_id: "alice", BOB.user_id: "bob"}
ASK_BOB = ChannelJoin(target=BOB.user_id, type=2)


def answer(effects: Effects) -> Channel:
    assert isinstance(effects[0], Reply)
    assert isinstance(effects[0].message, Channel)
    return effects[0].message


async def joined(chat: KeptChat | None = None, **flags: Any) -> World:
    world = empty_world(chat=chat)
    await channel.join(world, ALICE, ChannelJoin(target="lobby", type=1, **flags))
    return world


async def test_messages_are_kept_and_members_seen_unless_they_wish_otherwise() -> None:
    by_default = await channel.join(empty_world(), ALICE, ChannelJoin(target="lobby"))
    otherwise = await channel.join(
        empty_world(), ALICE, ChannelJoin(target="lobby", type=1, persistence=False, hidden=True)
    )
    explicitly = await channel.join(
        empty_world(), ALICE, ChannelJoin(target="lobby", type=1, persistence=True, hidden=False)
    )

    assert (answer(by_default).self, len(by_default)) == (answer(explicitly).self, len(explicitly))
    assert (answer(by_default).self.persistence, len(by_default)) == (True, 2)  # type: ignore[union-attr]  # it is there
    assert (answer(otherwise).self.persistence, len(otherwise)) == (False, 1)  # type: ignore[union-attr]  # it is there


async def test_a_room_is_joined_without_a_question_to_anybody() -> None:
    users, news = KnownUsers(), NotedNews()

    await channel.join(empty_world(users, notifier=news), ALICE, ChannelJoin(target="lobby", type=1))

    assert (users.asked, news.news) == ([], [])


async def test_a_direct_conversation_begins_with_a_request_and_goes_on_without() -> None:
    news = NotedNews()
    world = empty_world(KnownUsers(BOTH), notifier=news)

    first = await channel.join(world, ALICE, ASK_BOB)
    await channel.join(world, ALICE, ASK_BOB)
    second = await channel.join(world, BOB, ChannelJoin(target=ALICE.user_id, type=2))

    assert news.news == [(BOB.user_id, ALICE.user_id)]
    assert answer(first).id == answer(second).id == f"4.{ALICE.user_id}.{BOB.user_id}."
    assert (answer(first).user_id_one, answer(first).user_id_two) == (ALICE.user_id, BOB.user_id)


async def test_who_talks_to_oneself_asks_nobody() -> None:
    news = NotedNews()
    world = empty_world(KnownUsers(BOTH), notifier=news)

    await channel.join(world, ALICE, ChannelJoin(target=ALICE.user_id, type=2))

    assert news.news == []
    assert len(world.channels) == 1


async def test_a_conversation_begins_although_the_request_cannot_be_kept() -> None:
    world = empty_world(KnownUsers(BOTH), notifier=NotedNews(broken=True))

    assert answer(await channel.join(world, ALICE, ASK_BOB)).self is not None


async def test_there_is_no_conversation_with_somebody_who_does_not_exist() -> None:
    world = empty_world(KnownUsers({ALICE.user_id: "alice"}))

    with pytest.raises(RequestError) as refused:
        await channel.join(world, ALICE, ASK_BOB)

    assert refused.value.message == "User ID not found: Invalid channel target"
    assert len(world.channels) == 0


async def test_a_join_is_checked_before_anybody_is_asked() -> None:
    users = KnownUsers(BOTH)

    with pytest.raises(RequestError, match="Group not found: Invalid channel target"):
        await channel.join(empty_world(users), ALICE, ChannelJoin(target=ID, type=3))

    assert users.asked == []


def test_leaving_a_channel_that_one_is_not_in_is_no_error() -> None:
    assert channel.leave(empty_world(), ALICE, ChannelLeave(channel_id=LOBBY)) == [Reply()]


async def test_what_is_said_is_acknowledged_with_what_the_channel_was_told() -> None:
    chat = KeptChat()
    world = await joined(chat)

    (sent,) = await channel.send(world, ALICE, ChannelMessageSend(channel_id=LOBBY, content='{"a":1}'))
    (changed,) = await channel.update(
        world, ALICE, ChannelMessageUpdate(channel_id=LOBBY, message_id=NEW_ID.upper(), content='{"b":2}')
    )
    (gone,) = await channel.remove(world, ALICE, ChannelMessageRemove(channel_id=LOBBY, message_id=NEW_ID))

    acks = [effect.message for effect in (sent, changed, gone) if isinstance(effect, Reply)]
    assert [type(ack) for ack in acks] == [ChannelMessageAck] * 3
    assert [(ack.code, ack.message_id) for ack in acks if isinstance(ack, ChannelMessageAck)] == [
        (0, NEW_ID),
        (1, NEW_ID),
        (2, NEW_ID),
    ]
    assert [(message.code, message.content) for _, message in chat.said] == [
        (0, '{"a":1}'),
        (1, '{"b":2}'),
        (2, "{}"),
    ]


@pytest.mark.parametrize(
    ("handler", "message", "text"),
    [
        (channel.send, ChannelMessageSend(channel_id="x"), "Invalid channel identifier"),
        (channel.send, ChannelMessageSend(channel_id=LOBBY, content="[]"), "Message content must"),
        (
            channel.send,
            ChannelMessageSend(channel_id=LOBBY, content="{}"),
            "Must join channel before sending messages",
        ),
        (channel.update, ChannelMessageUpdate(channel_id="x"), "Invalid message identifier"),
        (channel.update, ChannelMessageUpdate(channel_id="x", message_id=ID), "Invalid channel identifier"),
        (channel.update, ChannelMessageUpdate(channel_id=LOBBY, message_id=ID), "Message content must"),
        (
            channel.update,
            ChannelMessageUpdate(channel_id=LOBBY, message_id=ID, content="{}"),
            "Must join channel before updating messages",
        ),
        (channel.remove, ChannelMessageRemove(channel_id="x"), "Invalid message identifier"),
        (channel.remove, ChannelMessageRemove(channel_id="x", message_id=ID), "Invalid channel identifier"),
        (
            channel.remove,
            ChannelMessageRemove(channel_id=LOBBY, message_id=ID),
            "Must join channel before removing messages",
        ),
    ],
)
async def test_the_first_check_that_fails_is_told(
    handler: Callable[..., Any], message: Any, text: str
) -> None:
    with pytest.raises(RequestError, match=text):
        await handler(empty_world(), ALICE, message)


class SlowUsers(KnownUsers):
    """Accounts that are found when the test says so."""

    def __init__(self, names: Mapping[str, str]) -> None:
        super().__init__(names)
        self.found = asyncio.Event()

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> Sequence[Known]:
        await self.found.wait()
        return await super().find_users(ids, usernames)


async def test_who_goes_while_the_other_is_looked_up_leaves_no_presence_behind() -> None:
    users = SlowUsers(BOTH)
    table = Table(empty_world(users))
    alice, bob = table.seat(ALICE), table.seat(BOB)
    alice.say({"cid": "1", "channel_join": {"target": BOB.user_id, "type": 2}})
    bob.say({"cid": "1", "channel_join": {"target": ALICE.user_id, "type": 2}})

    users.found.set()
    alice.lose()
    await table.tasks.idle()

    (answer,) = [each for each in bob.heard() if "cid" in each]
    assert "presences" not in answer["channel"]
    assert len(table.world.presences) == len(table.world.channels) == 1
    bob.lose()
    assert len(table.world.presences) == len(table.world.channels) == 0
