"""The history of channels: messages in the order in which they were sent, page by page.

A channel's numbers grow with its commits, so whoever has read up to one misses nothing behind it. Who may
read and change what is decided elsewhere; that only a sender's own message changes is part of the statement.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Integer, String, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.dialects import is_storable, take_turn
from server.storage.tables import NUMBER, channel_messages

_ADD = insert(channel_messages)
_OWN = (
    channel_messages.c.id == bindparam("message_id", type_=String),
    channel_messages.c.channel_id == bindparam("in_channel", type_=String),
    channel_messages.c.sender_id == bindparam("sender", type_=String),
)
_CHANGE = (
    update(channel_messages)
    .where(*_OWN)
    .values(
        content=bindparam("new_content"),
        username=bindparam("new_username"),
        update_time=bindparam("now"),
    )
    .returning(channel_messages.c.create_time)
)
_REMOVE = delete(channel_messages).where(*_OWN).returning(channel_messages.c.create_time)

_PAGE = (
    select(channel_messages)
    .where(channel_messages.c.channel_id == bindparam("channel_id"))
    .limit(bindparam("limit", type_=Integer))
)
_POSITION = bindparam("position", type_=NUMBER)
_OLDER = _PAGE.where(channel_messages.c.number < _POSITION).order_by(channel_messages.c.number.desc())
_NEWER = _PAGE.where(channel_messages.c.number > _POSITION).order_by(channel_messages.c.number)

END = 2**63 - 1
"""A position behind every message; 0 is one before all."""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as kept. Times are Unix microseconds."""

    id: str
    channel_id: str
    sender_id: str
    username: str
    content: str
    create_time: int
    update_time: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """A message and its place in the history."""

    number: int
    message: StoredMessage


class Messages:
    """The histories of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, message: StoredMessage) -> bool:
        """Write a message down behind all others of its channel. False: its sender has no account."""
        values = asdict(message)

        async def work(connection: AsyncConnection) -> None:
            await take_turn(connection, f"channel {message.channel_id}")
            await connection.execute(_ADD, values)

        try:
            await self._database.write(work)
        except IntegrityError:
            return False
        return True

    async def change(
        self, message_id: str, channel_id: str, sender_id: str, *, content: str, username: str, now: int
    ) -> int | None:
        """Replace what a message says. Returns when it was sent; None: not one of this sender."""
        new = {"new_content": content, "new_username": username, "now": now}
        return await self._alter(_CHANGE, message_id, channel_id, sender_id, new)

    async def remove(self, message_id: str, channel_id: str, sender_id: str) -> int | None:
        """Delete a message. Returns when it was sent; None: not one of this sender."""
        return await self._alter(_REMOVE, message_id, channel_id, sender_id, {})

    async def page(self, channel_id: str, position: int, limit: int, *, newer: bool) -> list[Numbered]:
        """The `limit` messages next to a position, the nearest first: newer ones, or older ones."""
        if not is_storable(channel_id):
            return []
        which = {"channel_id": channel_id, "position": position, "limit": limit}
        async with self._database.read() as connection:
            rows = (await connection.execute(_NEWER if newer else _OLDER, which)).mappings().all()
        return [Numbered(row["number"], _message(row)) for row in rows]

    async def _alter(
        self, statement: Any, message_id: str, channel_id: str, sender_id: str, new: Mapping[str, object]
    ) -> int | None:
        which = {"message_id": message_id, "in_channel": channel_id, "sender": sender_id, **new}

        async def work(connection: AsyncConnection) -> int | None:
            create_time: int | None = await connection.scalar(statement, which)
            return create_time

        return await self._database.write(work)


async def forget(connection: AsyncConnection, account_id: str) -> None:
    """Delete all that an account said. Part of its deletion."""
    await connection.execute(delete(channel_messages).where(channel_messages.c.sender_id == account_id))


def _message(row: Mapping[Any, Any]) -> StoredMessage:
    return StoredMessage(**{name: row[name] for name in StoredMessage.__slots__})
