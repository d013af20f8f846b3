"""Channels and notifications, put together as the server has them."""

from pathlib import Path

import pytest

from protocol.errors import RequestError
from protocol.messages import ChannelMessage, Notifications, UserPresence
from server.config import Settings
from server.core.presence import Presences
from server.core.status import Statuses
from server.effects import Deliver, Effects, Stream
from server.ids import RandomIds
from server.sections import ChatSettings, NotificationSettings
from server.storage.store import Store
from server.talk.talk import Talk
from server.tasks import TaskOwner
from tests.support.chat import LOBBY, sign_up
from tests.support.clock import ManualClock
from tests.support.databases import sqlite_url
from tests.support.issuer import ALICE
from tests.support.players import BOB

HER = UserPresence(user_id=ALICE, session_id="hers", username="alice")
STREAM = Stream(2, label="lobby")


async def test_the_parts_share_members_sessions_database_and_settings(tmp_path: Path) -> None:
    ids, presences, tasks, store = RandomIds("test"), Presences(), TaskOwner("test"), Store(RandomIds("test"))
    statuses = Statuses(presences, 10)
    settings = Settings(
        chat=ChatSettings(channels_per_session=1, content_bytes=64),
        notifications=NotificationSettings(kept_per_player=1),
    )
    await store.open(sqlite_url(tmp_path))
    await sign_up(store)
    talk = Talk(settings, store, presences, statuses, tasks, ManualClock(), ids.uuid4)
    performed: Effects = []
    talk.serve(performed.extend)
    statuses.open(HER, appear=False)

    talk.channels.join(HER, STREAM, persistence=True, hidden=False)
    with pytest.raises(RequestError, match="more than 1 channels"):
        talk.channels.join(HER, Stream(2, label="other"), persistence=True, hidden=False)
    with pytest.raises(RequestError, match="longer than 64 bytes"):
        talk.channels.check_content('{"x":"' + "y" * 64 + '"}')
    said = await talk.chat.send(STREAM, talk.channels.member(HER, STREAM, "sending"), "{}")
    for _ in range(2):
        await talk.notifier.notify(ALICE, "news", {}, 1)
    await talk.notifier.notify(BOB.user_id, "news", {}, 1)
    kept = await store.messages.page(LOBBY, 0, 9, newer=True)
    news = await store.notifications.page(ALICE, 0, 9)
    await store.close()

    assert [each.message.id for each in kept] == [said.message_id]
    assert (len(news), talk.stored.pushed_out) == (1, 1)
    told = [(each.to, type(each.message)) for each in performed if isinstance(each, Deliver)]
    assert told == [(STREAM, ChannelMessage), (("hers",), Notifications), (("hers",), Notifications)]
