"""Identities that may not sign in. A ban outlives the account, and a name may be banned before it has one.

Banning an account bans every identity that signs in to it and ends its logins, in one transaction.
"""

from collections.abc import Collection

from sqlalchemy import bindparam, delete, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import families
from server.storage.database import Database
from server.storage.dialects import take_turn
from server.storage.links import IdentityName, lock
from server.storage.revocations import Ended, Revoked, record
from server.storage.tables import bans, identities
from server.storage.tables import families as families_table

_IS_BANNED = select(
    exists().where(bans.c.issuer == bindparam("issuer"), bans.c.subject == bindparam("subject"))
)


class Banned(Exception):
    """This identity may not sign in, or be linked."""


async def check(connection: AsyncConnection, name: IdentityName) -> None:
    """Raises `Banned`. You must hold the account's lock, or `take_turn_of` the name if it has none yet."""
    if await connection.scalar(_IS_BANNED, name._asdict()):
        raise Banned


async def take_turn_of(connection: AsyncConnection, name: IdentityName) -> None:
    """Until the transaction ends, nobody bans this identity. Lock its account before, not after."""
    await take_turn(connection, f"ban {name.issuer} {name.subject}")


async def check_account(connection: AsyncConnection, account_id: str) -> None:
    """Raises `Banned` if an identity of the account is. You must hold the account's lock."""
    query = (
        select(identities.c.issuer, identities.c.subject)
        .join(bans, (bans.c.issuer == identities.c.issuer) & (bans.c.subject == identities.c.subject))
        .where(identities.c.account_id == account_id)
    )
    if (await connection.execute(query)).first() is not None:
        raise Banned


class Bans:
    """Bans and unbans, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ban(
        self, account_id: str | None, also: Collection[IdentityName], *, reason: str, now: int
    ) -> list[Revoked]:
        """Ban all identities of an account, and these; end the logins of their accounts."""

        async def work(connection: AsyncConnection) -> list[Revoked]:
            names = await self._names(connection, account_id, also)
            for name in names:
                await take_turn_of(connection, name)
                if not await self._is_banned(connection, name):
                    await connection.execute(
                        insert(bans).values(
                            issuer=name.issuer, subject=name.subject, reason=reason, created_at=now
                        )
                    )
            owners = await self._owners(connection, names)
            ended = await families.revoke(
                connection, families_table.c.account_id.in_(owners), now, Ended.BANNED
            )
            await record(connection, ended)
            return ended

        return await self._database.write(work)

    async def unban(self, account_id: str | None, also: Collection[IdentityName]) -> int:
        """Let all identities of an account, and these, sign in again. Returns how many had been banned."""

        async def work(connection: AsyncConnection) -> int:
            lifted = 0
            for name in await self._names(connection, account_id, also):
                statement = delete(bans).where(bans.c.issuer == name.issuer, bans.c.subject == name.subject)
                lifted += (await connection.execute(statement)).rowcount
            return lifted

        return await self._database.write(work)

    async def _names(
        self, connection: AsyncConnection, account_id: str | None, also: Collection[IdentityName]
    ) -> list[IdentityName]:
        found = set(also)
        if account_id is not None and await lock(connection, account_id):
            query = select(identities.c.issuer, identities.c.subject).where(
                identities.c.account_id == account_id
            )
            found |= {IdentityName(row.issuer, row.subject) for row in await connection.execute(query)}
        return sorted(found)

    async def _owners(self, connection: AsyncConnection, names: Collection[IdentityName]) -> list[str]:
        """The accounts of these identities, locked: one may have been made since the caller looked."""
        found = set()
        for name in names:
            query = select(identities.c.account_id).where(
                identities.c.issuer == name.issuer, identities.c.subject == name.subject
            )
            found |= set(await connection.scalars(query))
        for account_id in sorted(found):
            await lock(connection, account_id)
        return sorted(found)

    async def _is_banned(self, connection: AsyncConnection, name: IdentityName) -> bool:
        try:
            await check(connection, name)
        except Banned:
            return True
        return False
