"""Login families: a login and all its successors, as one row each.

Functions that take a connection are parts of a larger transaction. Which refresh is a rotation, a repeat or
a theft is decided elsewhere (`identity/rotation.py`); here a rotation is one statement that only one wins.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, bindparam, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage.database import Database
from server.storage.revocations import SPARE_S, Ended, Revoked, record
from server.storage.tables import accounts, families

CHUNK = 500

_ALIVE = families.c.revoked_at.is_(None)
_FIND = (
    select(families, accounts.c.username.label("present_name"))
    .join(accounts, accounts.c.id == families.c.account_id)
    .where(families.c.id == bindparam("family_id"))
)
_ADD = insert(families)
_OLDEST = (
    select(families.c.id)
    .where(
        families.c.account_id == bindparam("account_id"),
        families.c.id != bindparam("newest"),
        _ALIVE,
        families.c.refresh_exp > bindparam("now"),
    )
    .order_by(families.c.created_at.desc(), families.c.id)
    .offset(bindparam("kept", type_=Integer))
)
_ROTATE = (
    update(families)
    .where(
        families.c.id == bindparam("family_id"),
        families.c.gen == bindparam("shown_gen"),
        _ALIVE,
        families.c.absolute_exp > bindparam("now"),
    )
    .values(
        gen=bindparam("new_gen"),
        username=bindparam("new_username"),
        vars=bindparam("new_vars"),
        session_kid=bindparam("new_session_kid"),
        refresh_kid=bindparam("new_refresh_kid"),
        session_exp=bindparam("new_session_exp"),
        refresh_exp=bindparam("new_refresh_exp"),
        rotated_at=bindparam("now"),
    )
)


@dataclass(frozen=True, slots=True)
class Terms:
    """Which keys sign a pair of tokens, and when these end, in whole Unix seconds."""

    session_kid: str
    refresh_kid: str
    session_exp: int
    refresh_exp: int


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a pair of tokens is made of, beside its family: enough to make it again to the byte.

    `gen` counts the rotations, `made_at` is the Unix second of the last one.
    """

    gen: int
    vars: Mapping[str, str]
    made_at: int
    terms: Terms


@dataclass(frozen=True, slots=True)
class NewFamily:
    """A login to be written: the family of tokens that starts with it, and the identity that made it."""

    id: str
    issuer: str
    subject: str
    claim_vars: Mapping[str, str]
    created_at: int
    absolute_exp: int
    made_of: MadeOf


@dataclass(frozen=True, slots=True)
class Family:
    """A login as stored. `username` is in its present tokens, `present_name` its account's by now."""

    id: str
    account_id: str
    username: str
    present_name: str
    claim_vars: Mapping[str, str]
    created_at: int
    absolute_exp: int
    revoked: bool
    made_of: MadeOf


async def add(connection: AsyncConnection, account_id: str, username: str, family: NewFamily) -> None:
    """Write a login."""
    await connection.execute(
        _ADD,
        {
            "id": family.id,
            "account_id": account_id,
            "issuer": family.issuer,
            "subject": family.subject,
            "claim_vars": json.dumps(dict(family.claim_vars)),
            "created_at": family.created_at,
            "absolute_exp": family.absolute_exp,
            "gen": family.made_of.gen,
            "username": username,
            "vars": json.dumps(dict(family.made_of.vars)),
            **asdict(family.made_of.terms),
            "rotated_at": family.made_of.made_at,
        },
    )


async def crowd_out(
    connection: AsyncConnection, account_id: str, newest: str, *, keep: int, now: int, reason: Ended
) -> list[Revoked]:
    """End the account's oldest logins, so that `keep` are left, the one called `newest` among them.

    You must `record` what this returns.
    """
    which = {"account_id": account_id, "newest": newest, "now": now, "kept": keep - 1}
    oldest = list(await connection.scalars(_OLDEST, which))
    return await revoke(connection, families.c.id.in_(oldest), now, reason) if oldest else []


async def revoke(
    connection: AsyncConnection, which: ColumnElement[bool], now: int, reason: Ended
) -> list[Revoked]:
    """End these logins, as far as they have not ended. You must `record` what this returns."""
    statement = (
        update(families)
        .where(which, _ALIVE)
        .values(revoked_at=now, reason=reason.value)
        .returning(families.c.id, families.c.session_exp)
    )
    rows = (await connection.execute(statement)).all()
    return [_ended(row.id, row.session_exp, now, reason) for row in rows]


async def remove(connection: AsyncConnection, account_id: str, now: int, reason: Ended) -> list[Revoked]:
    """Delete every login of an account. You must `record` what this returns."""
    statement = (
        delete(families)
        .where(families.c.account_id == account_id)
        .returning(families.c.id, families.c.session_exp, families.c.revoked_at)
    )
    rows = (await connection.execute(statement)).all()
    return [_ended(row.id, row.session_exp, now, reason) for row in rows if row.revoked_at is None]


class Families:
    """The families of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, family_id: str) -> Family | None:
        """The login with this id, also when it has ended."""
        async with self._database.read() as connection:
            row = (await connection.execute(_FIND, {"family_id": family_id})).first()
        return None if row is None else _family(row)

    async def rotate(self, family_id: str, shown_gen: int, made_of: MadeOf, *, username: str) -> bool:
        """Replace what the tokens are made of, if `shown_gen` is still the present generation.

        One statement, so that of any number of callers one wins. False: not this one, or the login is over.
        """
        values = {
            "family_id": family_id,
            "shown_gen": shown_gen,
            "now": made_of.made_at,
            "new_gen": made_of.gen,
            "new_username": username,
            "new_vars": json.dumps(dict(made_of.vars)),
            "new_session_kid": made_of.terms.session_kid,
            "new_refresh_kid": made_of.terms.refresh_kid,
            "new_session_exp": made_of.terms.session_exp,
            "new_refresh_exp": made_of.terms.refresh_exp,
        }

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(_ROTATE, values)).rowcount == 1

        return await self._database.write(work)

    async def revoke(self, family_ids: Collection[str], *, now: int, reason: Ended) -> list[Revoked]:
        """End these logins. Returns those that had not ended before."""
        return await self._revoke(families.c.id.in_(sorted(family_ids)), now, reason)

    async def revoke_account(
        self, account_id: str, *, now: int, reason: Ended, before: int | None = None
    ) -> list[Revoked]:
        """End every login of an account, or those made before a time. Returns those that had not ended."""
        which = families.c.account_id == account_id
        if before is not None:
            which &= families.c.created_at < before
        return await self._revoke(which, now, reason)

    async def ends(self, family_ids: Sequence[str]) -> dict[str, int]:
        """When the newest refresh token of each login ends; absent are those that were ended or are gone."""
        found: dict[str, int] = {}
        async with self._database.read() as connection:
            for start in range(0, len(family_ids), CHUNK):
                query = select(families.c.id, families.c.refresh_exp).where(
                    families.c.id.in_(family_ids[start : start + CHUNK]), _ALIVE
                )
                found |= {row.id: row.refresh_exp for row in await connection.execute(query)}
        return found

    async def purge(self, now: int, *, limit: int = CHUNK) -> int:
        """Remove logins none of whose tokens can be shown any more. Returns how many, at most `limit`."""
        before = now - SPARE_S
        over = (
            select(families.c.id)
            .where(
                or_(
                    families.c.refresh_exp <= before,
                    families.c.revoked_at.is_not(None) & (families.c.session_exp <= before),
                ),
                families.c.session_exp <= before,
            )
            .limit(limit)
        ).scalar_subquery()

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(families).where(families.c.id.in_(over)))).rowcount

        return await self._database.write(work)

    async def _revoke(self, which: ColumnElement[bool], now: int, reason: Ended) -> list[Revoked]:
        async def work(connection: AsyncConnection) -> list[Revoked]:
            ended = await revoke(connection, which, now, reason)
            await record(connection, ended)
            return ended

        return await self._database.write(work)


def _ended(family_id: str, session_exp: int, now: int, reason: Ended) -> Revoked:
    # A socket may have outlived its token by days: the end must stay in the log until every process knows.
    return Revoked(family_id, max(session_exp, now), reason)


def _family(row: Row[Any]) -> Family:
    return Family(
        id=row.id,
        account_id=row.account_id,
        username=row.username,
        present_name=row.present_name,
        claim_vars=json.loads(row.claim_vars),
        created_at=row.created_at,
        absolute_exp=row.absolute_exp,
        revoked=row.revoked_at is not None,
        made_of=MadeOf(
            gen=row.gen,
            vars=json.loads(row.vars),
            made_at=row.rotated_at,
            terms=Terms(row.session_kid, row.refresh_kid, row.session_exp, row.refresh_exp),
        ),
    )
