"""Notifications: kept for those who are away, shown to every open session, within limits."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from protocol.messages import Notification, Notifications, UserPresence
from server.effects import Deliver, Effects, Stream
from server.ids import RandomIds
from server.sections import NotificationSettings
from server.storage.store import Store
from server.talk.in_turn import InTurn
from server.talk.notifier import LiveNotifier
from server.tasks import TaskOwner
from tests.support.chat import message_id, sign_up
from tests.support.clock import ManualClock
from tests.support.issuer import ALICE, BOB

HER = UserPresence(user_id=ALICE, session_id="hers", username="alice")


@dataclass
class News:
    """A notifier on a database; who has sessions open, and what they were shown."""

    notifier: LiveNotifier
    store: Store
    tasks: TaskOwner
    sessions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shown: list[tuple[tuple[str, ...], Notification]] = field(default_factory=list)

    def perform(self, effects: Effects) -> None:
        for effect in effects:
            assert isinstance(effect, Deliver)
            assert not isinstance(effect.to, Stream)
            assert isinstance(effect.message, Notifications)
            (shown,) = effect.message.notifications
            to: tuple[str, ...] = effect.to
            self.shown.append((to, shown))

    async def kept(self, user_id: str = BOB) -> list[str]:
        return [each.notification.id for each in await self.store.notifications.page(user_id, 0, 100)]


@pytest.fixture
async def news(database_url: str) -> AsyncIterator[News]:
    ids, tasks = RandomIds("test"), TaskOwner("test")
    store = Store(ids)
    await store.open(database_url)
    await sign_up(store)
    settings = NotificationSettings(kept_per_player=3, content_bytes=64)
    sessions: dict[str, tuple[str, ...]] = {BOB: ("his", "his other")}
    notifier = LiveNotifier(
        settings,
        store.notifications,
        lambda user_id: sessions.get(user_id, ()),
        InTurn(tasks),
        ManualClock(),
        ids.uuid4,
    )
    told = News(notifier, store, tasks, sessions)
    notifier.serve(told.perform)
    yield told
    await tasks.idle()
    await store.close()


async def test_every_open_session_is_shown_what_is_kept(news: News) -> None:
    told = await news.notifier.notify(BOB, "gift", {"coins": 5}, 7, sender_id=ALICE)

    ((to, shown),) = news.shown
    (kept,) = await news.store.notifications.page(BOB, 0, 10)
    assert told
    assert to == ("his", "his other")
    assert (shown.subject, shown.code, shown.sender_id, shown.persistent) == ("gift", 7, ALICE, True)
    assert json.loads(shown.content) == {"coins": 5}
    assert (kept.notification.id, kept.notification.content) == (shown.id, shown.content)
    assert shown.create_time is not None
    assert kept.notification.create_time == shown.create_time.timestamp()


async def test_who_is_away_finds_it_later(news: News) -> None:
    assert await news.notifier.notify(ALICE, "gift", {}, 7)

    assert news.shown == []
    assert len(await news.kept(ALICE)) == 1


async def test_what_is_not_to_last_is_shown_alone(news: News) -> None:
    assert await news.notifier.notify(BOB, "now", {}, 1, persistent=False)
    assert not await news.notifier.notify(ALICE, "now", {}, 1, persistent=False)

    assert [shown.persistent for _, shown in news.shown] == [False]
    assert await news.kept() == []


async def test_there_is_nobody_to_tell_without_an_account(news: News) -> None:
    news.sessions[message_id(9)] = ("ghost",)

    assert not await news.notifier.notify(message_id(9), "hello", {}, 1)
    assert not await news.notifier.notify("no\0body", "hello", {}, 1)

    assert news.shown == []


async def test_a_player_has_room_for_so_many(news: News) -> None:
    for number in range(5):
        await news.notifier.notify(BOB, f"number {number}", {}, 1)

    kept = await news.store.notifications.page(BOB, 0, 10)
    assert [each.notification.subject for each in kept] == ["number 2", "number 3", "number 4"]
    assert (news.notifier.sent, news.store.notifications.pushed_out) == (5, 2)


async def test_a_player_is_shown_them_in_the_order_in_which_they_are_kept(news: News) -> None:
    await asyncio.gather(*(news.notifier.notify(BOB, f"number {number}", {}, 1) for number in range(20)))

    assert [shown.id for _, shown in news.shown][-3:] == await news.kept()


async def test_a_request_to_chat_names_who_asks_and_is_kept_once(news: News) -> None:
    await news.notifier.ask_to_chat(BOB, HER)
    await news.notifier.ask_to_chat(BOB, HER)

    shown = [shown for _, shown in news.shown]
    assert [(each.subject, each.content, each.code, each.sender_id, each.persistent) for each in shown] == [
        ("alice wants to chat", '{"username":"alice"}', -1, ALICE, True)
    ] * 2
    assert await news.kept() == [shown[1].id]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"subject": ""}, "subject"),
        ({"subject": "é" * 128}, "subject"),
        ({"subject": "a\0"}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"code": 2**31}, "code"),
        ({"content": {"x": "y" * 57}}, "content"),
        ({"content": {"x": math.nan}}, "JSON"),
    ],
)
async def test_what_is_too_long_or_no_json_is_refused(news: News, changed: dict[str, Any], text: str) -> None:
    good: dict[str, Any] = {"subject": "s", "content": {}, "code": 1}

    with pytest.raises(ValueError, match=text):
        await news.notifier.notify(BOB, **(good | changed))

    assert (news.shown, await news.kept()) == ([], [])


async def test_the_limits_themselves_are_taken(news: News) -> None:
    assert await news.notifier.notify(BOB, "é" * 127, {"x": "y" * 56}, 2**31 - 1)
    assert await news.notifier.notify(BOB, "s", {}, -(2**31) + 1)


async def test_what_was_begun_is_shown_although_nobody_waits(news: News) -> None:
    telling = news.tasks.spawn("ask", news.notifier.notify(BOB, "s", {}, 1))
    await asyncio.sleep(0)

    telling.cancel()
    await news.tasks.idle()

    assert [shown.id for _, shown in news.shown] == await news.kept()
    assert len(news.shown) == 1
