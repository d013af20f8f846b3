"""Which identities sign in to an account: adding one and taking one away, within a transaction.

Both lock the account first, so that of two callers the second sees what the first did.
"""

from enum import Enum
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import families
from server.storage.revocations import Ended, Revoked
from server.storage.tables import accounts, identities
from server.storage.tables import families as families_table


class IdentityName(NamedTuple):
    """What identity providers know a player by."""

    issuer: str
    subject: str


class Link(Enum):
    """What became of linking an identity to an account."""

    MADE = "made"
    OWN = "own"
    """It was the account's before."""
    TAKEN = "taken"
    """It is another account's."""
    FULL = "full"
    """The account has as many identities as it may."""
    NO_ACCOUNT = "no_account"


async def link(
    connection: AsyncConnection, account_id: str, name: IdentityName, *, now: int, limit: int
) -> Link:
    """Let the identity sign in to the account, which may have `limit` identities in all."""
    if not await lock(connection, account_id):
        return Link.NO_ACCOUNT
    owner = await connection.scalar(
        select(identities.c.account_id).where(
            identities.c.issuer == name.issuer, identities.c.subject == name.subject
        )
    )
    if owner is not None:
        return Link.OWN if owner == account_id else Link.TAKEN
    query = select(func.count(), func.max(identities.c.create_time)).where(
        identities.c.account_id == account_id
    )
    held, newest = (await connection.execute(query)).one()
    if held >= limit:
        return Link.FULL
    # Identities are told apart by age, in whole seconds: the account's first one stays the first.
    since = max(now, newest + 1)
    await connection.execute(
        insert(identities).values(
            issuer=name.issuer, subject=name.subject, account_id=account_id, create_time=since
        )
    )
    await _touch(connection, account_id, now)
    return Link.MADE


async def unlink(
    connection: AsyncConnection, account_id: str, name: IdentityName, *, now: int, keep: str
) -> list[Revoked] | None:
    """Take the identity from the account, and end the logins it made, but for the one called `keep`.

    None, and nothing changed, if it is not its own or its last. You must `record` what this returns.
    """
    await lock(connection, account_id)
    query = select(identities.c.issuer, identities.c.subject).where(identities.c.account_id == account_id)
    own = {IdentityName(row.issuer, row.subject) for row in await connection.execute(query)}
    if len(own) < 2 or name not in own:
        return None
    await connection.execute(
        delete(identities).where(identities.c.issuer == name.issuer, identities.c.subject == name.subject)
    )
    await _touch(connection, account_id, now)
    made_by_it = (families_table.c.issuer == name.issuer) & (families_table.c.subject == name.subject)
    return await families.revoke(
        connection,
        (families_table.c.account_id == account_id) & made_by_it & (families_table.c.id != keep),
        now,
        Ended.UNLINKED,
    )


async def lock(connection: AsyncConnection, account_id: str) -> bool:
    """Whether the account exists; nobody else changes it until the transaction ends."""
    query = select(accounts.c.id).where(accounts.c.id == account_id).with_for_update()
    return await connection.scalar(query) is not None


async def _touch(connection: AsyncConnection, account_id: str, now: int) -> None:
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(update_time=now))
