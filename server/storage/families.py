"""Login families: a login and all its successors, as one row each.

A family is refreshed until it is revoked or its time is up. Who may do either is decided elsewhere.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.tables import accounts, families

_ADD = sqlite_insert(families).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class NewFamily:
    """A login to be written: the family of tokens that starts with it."""

    id: str
    claim_vars: Mapping[str, str]
    created_at: int
    session_exp: int
    absolute_exp: int


@dataclass(frozen=True, slots=True)
class Family:
    """A login as stored."""

    id: str
    account_id: str
    username: str
    claim_vars: Mapping[str, str]
    gen: int
    created_at: int
    absolute_exp: int


@dataclass(frozen=True, slots=True)
class Revoked:
    """A family that ended, and until when one of its session tokens could still be shown."""

    family_id: str
    session_exp: int


class Families:
    """The families of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, family_id: str) -> Family | None:
        """The login with this id, if it was not revoked, with its account's present name."""
        query = (
            select(families, accounts.c.username)
            .join(accounts, accounts.c.id == families.c.account_id)
            .where(families.c.id == family_id, families.c.revoked_at.is_(None))
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _family(row)

    async def use(self, family_id: str, *, now: int, session_exp: int) -> bool:
        """Note a refresh whose session token ends at `session_exp`. False: the login is over or gone."""
        statement = (
            update(families)
            .where(families.c.id == family_id, families.c.revoked_at.is_(None), families.c.absolute_exp > now)
            .values(last_used_at=now, session_exp=session_exp)
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._database.write(work)

    async def revoke(self, family_ids: Collection[str], *, now: int, reason: str) -> list[Revoked]:
        """End these logins. Returns all of them that exist, also those that had ended before."""
        return await self._revoke(families.c.id.in_(sorted(family_ids)), now, reason)

    async def revoke_account(self, account_id: str, *, now: int, reason: str) -> list[Revoked]:
        """End every login of an account that could still be used."""
        return await self._revoke(
            (families.c.account_id == account_id) & (families.c.absolute_exp > now), now, reason
        )

    async def revoked(self, now: int) -> list[Revoked]:
        """The ended logins that a session token could still be shown of."""
        query = select(families.c.id, families.c.session_exp).where(
            families.c.revoked_at.is_not(None), families.c.session_exp > now
        )
        async with self._database.read() as connection:
            return [Revoked(row.id, row.session_exp) for row in await connection.execute(query)]

    async def _revoke(self, which: ColumnElement[bool], now: int, reason: str) -> list[Revoked]:
        async def work(connection: AsyncConnection) -> list[Revoked]:
            query = select(families.c.id, families.c.session_exp).where(which)
            found = [Revoked(row.id, row.session_exp) for row in await connection.execute(query)]
            await connection.execute(
                update(families)
                .where(which, families.c.revoked_at.is_(None))
                .values(revoked_at=now, reason=reason)
            )
            return found

        return await self._database.write(work)


async def add_family(connection: AsyncConnection, account_id: str, family: NewFamily) -> None:
    """Write a login. Repeated when its transaction is, so an existing row is left as it is."""
    await connection.execute(_ADD, _row(account_id, family))


def _row(account_id: str, family: NewFamily) -> dict[str, Any]:
    return {
        "id": family.id,
        "account_id": account_id,
        "claim_vars": json.dumps(dict(family.claim_vars)),
        "created_at": family.created_at,
        "last_used_at": family.created_at,
        "session_exp": family.session_exp,
        "absolute_exp": family.absolute_exp,
    }


def _family(row: RowMapping) -> Family:
    return Family(
        id=row["id"],
        account_id=row["account_id"],
        username=row["username"],
        claim_vars=json.loads(row["claim_vars"]),
        gen=row["gen"],
        created_at=row["created_at"],
        absolute_exp=row["absolute_exp"],
    )
