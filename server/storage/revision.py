"""Whether a database has the schema of this release already, told without the tool that changes schemas.

Most starts find it so, and then do not import Alembic: that would take a tenth of their time and of the
memory that a server holds.
"""

import asyncio
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, String, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

NEWEST = "0005"
"""The last revision in `migrations/versions`."""
TABLE = "alembic_version"
_FOUND = select(column("version_num", String)).select_from(table(TABLE))


_LOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def one_at_a_time() -> asyncio.Lock:
    """Held by whoever looks at a schema or changes one: the process does so with one database at a time."""
    return _LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock())


async def is_newest(engine: AsyncEngine) -> bool:
    """False for whatever `migrate` has to look at, and perhaps refuse. Raises what the database raises."""
    # The first connections to a new file must not be made at once: SQLite refuses to wait for each other.
    async with one_at_a_time(), engine.begin() as connection:
        return await connection.run_sync(_is_newest)


def _is_newest(connection: Connection) -> bool:
    return inspect(connection).has_table(TABLE) and connection.scalars(_FOUND).all() == [NEWEST]
