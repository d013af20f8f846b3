"""Whether a database has the schema of this release already, told without the tool that changes schemas.

Most starts find it so, and then do not import Alembic: that would take a tenth of their time and of the
memory that a server holds.
"""

from sqlalchemy import Connection, String, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

NEWEST = "0005"
"""The last revision in `migrations/versions`."""
TABLE = "alembic_version"
_FOUND = select(column("version_num", String)).select_from(table(TABLE))


async def is_newest(engine: AsyncEngine) -> bool:
    """False for whatever `migrate` has to look at, and perhaps refuse. Raises what the database raises."""
    async with engine.begin() as connection:
        return await connection.run_sync(_is_newest)


def _is_newest(connection: Connection) -> bool:
    return inspect(connection).has_table(TABLE) and connection.scalars(_FOUND).all() == [NEWEST]
