"""What the databases do differently, where a statement must know; how they are opened is in `engine.py`."""

from sqlalchemy import String, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

_TURN = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0)))


async def take_turn(connection: AsyncConnection, name: str) -> None:
    """Until the transaction ends, nobody else passes a turn of the same name.

    For what no row stands for (yet): rows are locked by `with_for_update`. SQLite has one writer at a time
    and needs neither. Turns of two names must be taken in one order everywhere.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_TURN, {"name": name})


def is_storable(text: str) -> bool:
    """Whether a database can be asked for this text: PostgreSQL knows no NUL, UTF-8 no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
