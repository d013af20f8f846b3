"""The log of ended logins: what every process must refuse, in the order in which it was decided.

A row stays until the last session token of its family has expired, with a day to spare for a clock that was
set back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Integer, bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.dialects import take_turn
from server.storage.tables import revocations

SPARE_S = 86_400
PAGE = 10_000


class Ended(Enum):
    """Why a login ended."""

    LOGOUT = "logout"
    LOGOUT_ALL = "logout_all"
    REUSE = "reuse"
    """A refresh token was shown again after its successor was in use."""
    CROWDED_OUT = "crowded_out"
    """The account had more logins than it may."""
    REPLACED = "replaced"
    """A newer login, where only one is allowed."""
    UNLINKED = "unlinked"
    """The identity that made it was taken from the account."""
    OPERATOR = "operator"
    SOCKET = "socket"
    """Not an ending yet: an operator named a socket, and the process that has it knows its login."""
    BANNED = "banned"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Revoked:
    """A family that ended, and until when that matters.

    `session_exp` is when the last of its session tokens expires; no earlier than the end itself.
    """

    family_id: str
    session_exp: int
    reason: Ended


_AFTER = (
    select(revocations)
    .where(revocations.c.id > bindparam("last"), revocations.c.session_exp > bindparam("over"))
    .order_by(revocations.c.id)
    .limit(bindparam("page", type_=Integer))
)


async def record(connection: AsyncConnection, ended: Sequence[Revoked]) -> None:
    """Write the end of these families down. You must do this last in the transaction.

    The log's numbers are given in a turn that lasts to the commit: a reader that knows number n has seen all
    that are smaller. Taken last, the turn cannot be part of a deadlock.
    """
    if not ended:
        return
    await take_turn(connection, "revocations")
    rows = [
        {"family_id": item.family_id, "session_exp": item.session_exp, "reason": item.reason.value}
        for item in ended
    ]
    await connection.execute(insert(revocations), rows)


class RevocationLog:
    """Reads the log of a database, and forgets what is over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, last: int, *, now: int, limit: int = PAGE) -> tuple[list[Revoked], int]:
        """The next entries behind number `last` that still matter, and the number to go on from.

        Nothing is left when the number stays the same.
        """
        which = {"last": last, "over": now - SPARE_S, "page": limit}
        async with self._database.read() as connection:
            rows = (await connection.execute(_AFTER, which)).all()
        found = [Revoked(row.family_id, row.session_exp, Ended(row.reason)) for row in rows]
        return found, rows[-1].id if rows else last

    async def name_socket(self, session_id: str, *, now: int) -> None:
        """Ask the process that has this socket to end its login."""
        row = {"family_id": session_id, "session_exp": now, "reason": Ended.SOCKET.value}

        async def work(connection: AsyncConnection) -> None:
            await take_turn(connection, "revocations")
            await connection.execute(insert(revocations), [row])

        await self._database.write(work)

    async def purge(self, now: int, *, limit: int = PAGE) -> int:
        """Remove entries that no token needs any more. Returns how many, at most `limit`."""
        over = (
            select(revocations.c.id).where(revocations.c.session_exp <= now - SPARE_S).limit(limit)
        ).scalar_subquery()

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(revocations).where(revocations.c.id.in_(over)))).rowcount

        return await self._database.write(work)
