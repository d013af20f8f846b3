"""What members say: kept before it is told, told in the order in which it is kept."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import ChannelMessage, UserPresence
from server.effects import Deliver, Effects, Stream
from server.ids import RandomIds
from server.storage.database import Database
from server.storage.failures import Reason, StorageUnavailable
from server.storage.messages import Messages, StoredMessage
from server.storage.store import Store
from server.talk.chat import ChannelChat
from server.talk.in_turn import InTurn
from server.tasks import TaskOwner
from tests.support.chat import LOBBY, sign_up
from tests.support.clock import ManualClock
from tests.support.issuer import ALICE, BOB

STREAM = Stream(2, label="lobby")
HER = UserPresence(user_id=ALICE, session_id="hers", username="alice", persistence=True)
HIM = UserPresence(user_id=BOB, session_id="his", username="bob", persistence=True)
PASSING = UserPresence(user_id=ALICE, session_id="hers", username="alice", persistence=False)


@dataclass
class Talk:
    """A chat on a database, and what the channel was told."""

    chat: ChannelChat
    store: Store
    clock: ManualClock
    tasks: TaskOwner
    heard: list[ChannelMessage] = field(default_factory=list)

    def perform(self, effects: Effects) -> None:
        for effect in effects:
            assert isinstance(effect, Deliver)
            assert effect.to == STREAM
            assert isinstance(effect.message, ChannelMessage)
            self.heard.append(effect.message)

    async def history(self) -> list[tuple[str, str]]:
        found = await self.store.messages.page(LOBBY, 0, 1000, newer=True)
        return [(each.message.id, each.message.content) for each in found]


class DownMessages(Messages):
    """A history whose database cannot be reached."""

    async def add(self, message: StoredMessage) -> bool:
        raise StorageUnavailable(Reason.UNREACHABLE)


class SlowMessages(Messages):
    """A history that writes what contains `slow` when the test says so."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.written = asyncio.Event()

    async def add(self, message: StoredMessage) -> bool:
        if "slow" in message.content:
            await self.written.wait()
        return True


@pytest.fixture
async def talk(database_url: str) -> AsyncIterator[Talk]:
    ids, clock, tasks = RandomIds("test"), ManualClock(), TaskOwner("test")
    store = Store(ids)
    await store.open(database_url)
    await sign_up(store)
    talk = Talk(ChannelChat(store.messages, InTurn(tasks), clock, ids.uuid4), store, clock, tasks)
    talk.chat.serve(talk.perform)
    yield talk
    await tasks.idle()
    await store.close()


async def test_what_is_said_is_kept_and_told_to_all(talk: Talk) -> None:
    said = await talk.chat.send(STREAM, HER, ' {"a" : 1}')

    assert talk.heard == [said]
    assert (said.content, said.code, said.persistent, said.sender_id) == (' {"a" : 1}', 0, True, ALICE)
    assert said.create_time == said.update_time
    assert await talk.history() == [(said.message_id, ' {"a" : 1}')]


async def test_a_change_keeps_its_place_and_the_time_of_sending(talk: Talk) -> None:
    first = await talk.chat.send(STREAM, HER, "{}")
    second = await talk.chat.send(STREAM, HIM, "{}")
    talk.clock.advance(60.25)

    changed = await talk.chat.update(STREAM, HER, first.message_id, '{"b":2}')

    assert talk.heard[-1] == changed
    assert (changed.code, changed.create_time) == (1, first.create_time)
    assert changed.update_time is not None
    assert first.update_time is not None
    assert (changed.update_time - first.update_time).total_seconds() == 60.25
    assert await talk.history() == [(first.message_id, '{"b":2}'), (second.message_id, "{}")]


async def test_what_is_taken_back_is_gone(talk: Talk) -> None:
    said = await talk.chat.send(STREAM, HER, '{"a":1}')
    talk.clock.advance(1)

    gone = await talk.chat.remove(STREAM, HER, said.message_id)

    assert (gone.code, gone.content, gone.create_time) == (2, "{}", said.create_time)
    assert talk.heard == [said, gone]
    assert await talk.history() == []
    assert talk.chat.told == {"sent": 1, "updated": 0, "removed": 1}


async def test_nobody_changes_what_another_said_or_what_was_never_kept(talk: Talk) -> None:
    said = await talk.chat.send(STREAM, HER, "{}")
    passing = await talk.chat.send(STREAM, PASSING, "{}")

    for message_id, who in ((said.message_id, HIM), (passing.message_id, HER)):
        with pytest.raises(RequestError) as refused:
            await talk.chat.update(STREAM, who, message_id, '{"x":1}')
        assert refused.value.message == "Could not find message to update in channel history"
        with pytest.raises(RequestError) as refused:
            await talk.chat.remove(STREAM, who, message_id)
        assert refused.value.message == "Could not find message to remove in channel history"

    assert talk.heard == [said, passing]
    assert await talk.history() == [(said.message_id, "{}")]


async def test_without_persistence_nothing_is_stored_and_any_id_can_be_changed(talk: Talk) -> None:
    said = await talk.chat.send(STREAM, PASSING, '{"a":1}')
    changed = await talk.chat.update(STREAM, PASSING, said.message_id, '{"b":1}')
    gone = await talk.chat.remove(STREAM, PASSING, said.message_id)

    assert talk.heard == [said, changed, gone]
    assert [(each.code, each.content, each.persistent) for each in talk.heard] == [
        (0, '{"a":1}', False),
        (1, '{"b":1}', False),
        (2, "{}", False),
    ]
    assert await talk.history() == []


async def test_a_channel_hears_messages_in_the_order_of_its_history(talk: Talk) -> None:
    await asyncio.gather(
        *(talk.chat.send(STREAM, who, f'{{"n":{n}}}') for n in range(30) for who in (HER, HIM))
    )

    assert [(each.message_id, each.content) for each in talk.heard] == await talk.history()
    assert len(talk.heard) == 60


async def test_the_channel_hears_a_message_whose_sender_is_gone_by_then(talk: Talk) -> None:
    sending = talk.tasks.spawn("ask", talk.chat.send(STREAM, HER, "{}"))
    await asyncio.sleep(0)

    sending.cancel()
    await talk.tasks.idle()

    assert [each.message_id for each in talk.heard] == [each for each, _ in await talk.history()]
    assert len(talk.heard) == 1


async def test_nobody_hears_of_a_message_that_cannot_be_kept(talk: Talk) -> None:
    await talk.store.delete(ALICE, now=1)

    with pytest.raises(RequestError) as refused:
        await talk.chat.send(STREAM, HER, "{}")

    assert refused.value.code is ErrorCode.RUNTIME_EXCEPTION
    assert refused.value.message == "Could not persist message to channel history"
    assert talk.heard == []


async def test_without_a_database_what_is_kept_is_refused_and_the_rest_goes_on(talk: Talk) -> None:
    chat = ChannelChat(DownMessages(talk.store.database), InTurn(talk.tasks), talk.clock, lambda: "id")
    chat.serve(talk.perform)

    with pytest.raises(StorageUnavailable):
        await chat.send(STREAM, HER, "{}")
    passing = await chat.send(STREAM, PASSING, "{}")

    assert talk.heard == [passing]


async def test_a_later_message_of_the_channel_waits_for_an_earlier_one_and_another_channels_does_not(
    talk: Talk,
) -> None:
    slow = SlowMessages(talk.store.database)
    heard: list[str] = []
    chat = ChannelChat(slow, InTurn(talk.tasks), talk.clock, lambda: "id")

    def perform(effects: Effects) -> None:
        for each in effects:
            assert isinstance(each, Deliver)
            assert isinstance(each.message, ChannelMessage)
            heard.append(each.message.content)

    chat.serve(perform)

    waiting = [talk.tasks.spawn("ask", chat.send(STREAM, HER, text)) for text in ('{"slow":1}', "{}")]
    await chat.send(Stream(2, label="other"), HIM, '{"other":1}')
    assert heard == ['{"other":1}']
    slow.written.set()
    await asyncio.gather(*waiting)

    assert heard == ['{"other":1}', '{"slow":1}', "{}"]
