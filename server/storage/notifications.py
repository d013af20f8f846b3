"""Stored notifications: what a player should still find after having been away.

Each player has room for so many; one more pushes the oldest out. Numbers grow with the commits of a player's
notifications, so whoever has read up to one misses nothing behind it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Integer, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.dialects import is_storable, take_turn
from server.storage.tables import NUMBER, accounts, notifications

CHUNK = 500  # ids per statement; SQLite allows 999 variables in its oldest builds

# Locked until the transaction ends: with an account go its requests, those under way included.
_SENDER = (
    select(accounts.c.id)
    .where(accounts.c.id == bindparam("sender_id"))
    .with_for_update(read=True, key_share=True)
)
_ADD = insert(notifications).returning(notifications.c.number)
_NEWEST_TOO_OLD = (
    select(notifications.c.number)
    .where(notifications.c.user_id == bindparam("user_id"))
    .order_by(notifications.c.number.desc())
    .limit(1)
    .offset(bindparam("kept", type_=Integer))
)
_PUSH_OUT = delete(notifications).where(
    notifications.c.user_id == bindparam("of_user"), notifications.c.number <= bindparam("last")
)
_REPLACE = delete(notifications).where(
    notifications.c.sender_id == bindparam("sender"),
    notifications.c.code == bindparam("same_code"),
    notifications.c.user_id == bindparam("of_user"),
    notifications.c.number < bindparam("newest"),
)
_PAGE = (
    select(notifications)
    .where(
        notifications.c.user_id == bindparam("user_id"),
        notifications.c.number > bindparam("position", type_=NUMBER),
    )
    .order_by(notifications.c.number)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification as kept; `sender_id` is empty for the server's own, the time in whole Unix seconds."""

    id: str
    user_id: str
    subject: str
    content: str
    code: int
    sender_id: str
    create_time: int


@dataclass(frozen=True, slots=True)
class NumberedNotification:
    """A notification and its place among its player's."""

    number: int
    notification: StoredNotification


class NotificationStore:
    """The notifications of a database. `pushed_out` counts those that gave way to newer ones."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pushed_out = 0

    async def add(self, notification: StoredNotification, *, keep: int, replace: bool = False) -> bool:
        """Write a notification down; of its player's, the newest `keep` stay. False: there is no such player.

        `replace`: it takes the place of what the same sender wrote to the same player under the same code,
        and is not written when there is no such sender.
        """

        async def work(connection: AsyncConnection) -> int | None:
            await take_turn(connection, f"notifications {notification.user_id}")
            if replace and await connection.scalar(_SENDER, {"sender_id": notification.sender_id}) is None:
                return None
            # First, as it may have to wait for the account's row: no notification may be locked then.
            number = await connection.scalar(_ADD, asdict(notification))
            if replace:
                which = {"sender": notification.sender_id, "same_code": notification.code}
                await connection.execute(
                    _REPLACE, {**which, "of_user": notification.user_id, "newest": number}
                )
            return await _push_out(connection, notification.user_id, keep)

        try:
            pushed_out = await self._database.write(work)
        except IntegrityError:
            return False
        if pushed_out is None:
            return False
        self.pushed_out += pushed_out
        return True

    async def page(self, user_id: str, position: int, limit: int) -> list[NumberedNotification]:
        """The next `limit` notifications behind a position, the oldest first; 0 is before all."""
        which = {"user_id": user_id, "position": position, "limit": limit}
        async with self._database.read() as connection:
            rows = (await connection.execute(_PAGE, which)).mappings().all()
        return [
            NumberedNotification(
                row["number"],
                StoredNotification(**{name: row[name] for name in StoredNotification.__slots__}),
            )
            for row in rows
        ]

    async def delete(self, user_id: str, ids: Sequence[str]) -> int:
        """Delete those of these that are the player's own. Returns how many."""
        wanted = [each for each in ids if is_storable(each)]

        async def work(connection: AsyncConnection) -> int:
            gone = 0
            for start in range(0, len(wanted), CHUNK):
                statement = delete(notifications).where(
                    notifications.c.user_id == user_id, notifications.c.id.in_(wanted[start : start + CHUNK])
                )
                gone += (await connection.execute(statement)).rowcount
            return gone

        return await self._database.write(work) if wanted else 0


async def _push_out(connection: AsyncConnection, user_id: str, keep: int) -> int:
    last = await connection.scalar(_NEWEST_TOO_OLD, {"user_id": user_id, "kept": keep})
    if last is None:
        return 0
    return (await connection.execute(_PUSH_OUT, {"of_user": user_id, "last": last})).rowcount


async def forget(connection: AsyncConnection, account_id: str, *, requests: int) -> None:
    """Delete an account's notifications, and what it asked of others under the code `requests`.

    Part of its deletion.
    """
    await connection.execute(delete(notifications).where(notifications.c.user_id == account_id))
    await connection.execute(
        delete(notifications).where(notifications.c.sender_id == account_id, notifications.c.code == requests)
    )
