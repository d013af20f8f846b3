"""What members say: written into the channel's history if they wish so, then told to all in the channel.

A message that is kept is on disk before anybody hears of it, and a channel hears its messages in the order
of its history.
"""

from collections import Counter
from collections.abc import Callable

from protocol.errors import ErrorCode, RequestError
from protocol.messages import ChannelMessage, UserPresence
from server.clock import Clock
from server.core.channel import REMOVED, UPDATED, told
from server.core.channel_id import id_of
from server.effects import Deliver, Effects, Stream
from server.storage.messages import Messages, StoredMessage
from server.talk.in_turn import InTurn

REMOVED_CONTENT = "{}"


class ChannelChat:
    """Sends, changes and removes messages. Call `serve` with what performs effects before the first one."""

    def __init__(self, messages: Messages, in_turn: InTurn, clock: Clock, new_id: Callable[[], str]) -> None:
        self._messages = messages
        self._in_turn = in_turn
        self._clock = clock
        self._new_id = new_id
        self._perform: Callable[[Effects], None]
        self.told: Counter[str] = Counter(sent=0, updated=0, removed=0)
        """What channels were told, by kind."""

    def serve(self, perform: Callable[[Effects], None]) -> None:
        self._perform = perform

    async def send(self, stream: Stream, member: UserPresence, content: str) -> ChannelMessage:
        """Say something. Raises `RequestError` when it cannot be kept."""
        message_id = self._new_id()
        if member.persistence:
            return await self._in_turn.do(id_of(stream), self._send(stream, member, message_id, content))
        now = self._now()
        return self._tell("sent", stream, told(stream, member, message_id, content, created=now, updated=now))

    async def update(
        self, stream: Stream, member: UserPresence, message_id: str, content: str
    ) -> ChannelMessage:
        """Change what one said. Raises `RequestError` when history has no such message of this sender."""
        if member.persistence:
            return await self._in_turn.do(id_of(stream), self._update(stream, member, message_id, content))
        now = self._now()
        return self._changed(stream, member, message_id, content, UPDATED, created=now, now=now)

    async def remove(self, stream: Stream, member: UserPresence, message_id: str) -> ChannelMessage:
        """Take back what one said. Raises `RequestError` when history has no such message of this sender."""
        if member.persistence:
            return await self._in_turn.do(id_of(stream), self._remove(stream, member, message_id))
        now = self._now()
        return self._changed(stream, member, message_id, REMOVED_CONTENT, REMOVED, created=now, now=now)

    async def _send(
        self, stream: Stream, member: UserPresence, message_id: str, content: str
    ) -> ChannelMessage:
        now = self._now()
        kept = await self._messages.add(
            StoredMessage(message_id, id_of(stream), member.user_id, member.username, content, now, now)
        )
        if not kept:  # the account has just been deleted
            raise RequestError(ErrorCode.RUNTIME_EXCEPTION, "Could not persist message to channel history")
        return self._tell("sent", stream, told(stream, member, message_id, content, created=now, updated=now))

    async def _update(
        self, stream: Stream, member: UserPresence, message_id: str, content: str
    ) -> ChannelMessage:
        now = self._now()
        created = await self._messages.change(
            message_id, id_of(stream), member.user_id, content=content, username=member.username, now=now
        )
        if created is None:
            raise _not_found("update")
        return self._changed(stream, member, message_id, content, UPDATED, created=created, now=now)

    async def _remove(self, stream: Stream, member: UserPresence, message_id: str) -> ChannelMessage:
        created = await self._messages.remove(message_id, id_of(stream), member.user_id)
        if created is None:
            raise _not_found("remove")
        return self._changed(
            stream, member, message_id, REMOVED_CONTENT, REMOVED, created=created, now=self._now()
        )

    def _changed(
        self,
        stream: Stream,
        member: UserPresence,
        message_id: str,
        content: str,
        code: int,
        *,
        created: int,
        now: int,
    ) -> ChannelMessage:
        kind = "updated" if code == UPDATED else "removed"
        message = told(stream, member, message_id, content, code=code, created=created, updated=now)
        return self._tell(kind, stream, message)

    def _tell(self, kind: str, stream: Stream, message: ChannelMessage) -> ChannelMessage:
        self.told[kind] += 1
        self._perform([Deliver(stream, message)])
        return message

    def _now(self) -> int:
        """Unix microseconds: clients sort by the times of messages, and several come in a second."""
        return int(self._clock.wall() * 1_000_000)


def _not_found(doing: str) -> RequestError:
    return RequestError(ErrorCode.BAD_INPUT, f"Could not find message to {doing} in channel history")
