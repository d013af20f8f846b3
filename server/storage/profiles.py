"""What players show of themselves: read by id and by name, changed by their owner.

Who may change what, and how long a text may be, is not decided here; that names differ is, because it needs
the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Row, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from server.storage.database import Database
from server.storage.dialects import is_storable
from server.storage.tables import accounts

CHUNK = 500  # ids per statement; SQLite allows 999 variables in its oldest builds


@dataclass(frozen=True, slots=True)
class Profile:
    """An account as other players see it."""

    id: str
    username: str
    display_name: str
    avatar_url: str
    lang_tag: str
    location: str
    timezone: str
    metadata: str
    create_time: int
    update_time: int


class Updated(Enum):
    """What became of a change."""

    MADE = "made"
    NAME_TAKEN = "name_taken"
    NO_ACCOUNT = "no_account"


class Profiles:
    """The profiles of all accounts, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, ids: Sequence[str], usernames: Sequence[str]) -> list[Profile]:
        """The profiles among these ids and names, each once; unknown ones are absent."""
        async with self._database.read() as connection:
            rows = await find(connection, list(accounts.c), ids, usernames)
        return [Profile(**row._mapping) for row in rows]

    async def update(self, account_id: str, changes: Mapping[str, str], *, now: int) -> Updated:
        """Set the named columns, all or none. The texts must be storable."""

        async def work(connection: AsyncConnection) -> Updated:
            others = exists().where(
                accounts.c.username == changes.get("username"), accounts.c.id != account_id
            )
            if "username" in changes and await connection.scalar(select(others)):
                return Updated.NAME_TAKEN
            done = await connection.execute(
                update(accounts).where(accounts.c.id == account_id).values(update_time=now, **changes)
            )
            return Updated.MADE if done.rowcount else Updated.NO_ACCOUNT

        try:
            return await self._database.write(work)
        except IntegrityError:  # another process took the name between our look and our update
            return Updated.NAME_TAKEN


async def find(
    connection: AsyncConnection,
    columns: Sequence[ColumnElement[Any]],
    ids: Sequence[str],
    usernames: Sequence[str],
) -> list[Row[Any]]:
    """These columns, the id among them, of the accounts among these ids and names, each account once."""
    found: dict[str, Row[Any]] = {}
    for column, wanted in ((accounts.c.id, ids), (accounts.c.username, usernames)):
        # What a stranger asks for may be no text for a database.
        possible = [text for text in wanted if is_storable(text)]
        for start in range(0, len(possible), CHUNK):
            query = select(*columns).where(column.in_(possible[start : start + CHUNK]))
            for row in await connection.execute(query):
                found[row.id] = row
    return list(found.values())
