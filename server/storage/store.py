"""Accounts, identities and login families, as values in and values out.

Each write is one transaction and is on disk when its call returns. Who may do what is not decided here; the
rules for the id and the name of a new account are, because they need the transaction.
"""

import json
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, RowMapping, bindparam, exists, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from server.storage import links
from server.storage.engine import READERS, Work, Writer, open_engine, sqlite_path
from server.storage.links import IdentityName, Link
from server.storage.spent_tokens import Spending, SpentTokens
from server.storage.tables import accounts, families, identities, metadata

T = TypeVar("T")

CHUNK = 500  # ids per statement; SQLite allows 999 variables in its oldest builds
ATTEMPTS = 8
NAME_BYTES = 128
SPENT_TOKENS = 100_000

# Built once: SQLAlchemy takes longer to build a statement and to find it in its cache than to run it.
_FIND = (
    select(accounts.c.id, accounts.c.username)
    .join(identities, identities.c.account_id == accounts.c.id)
    .where(identities.c.issuer == bindparam("issuer"), identities.c.subject == bindparam("subject"))
)
# Repeated when the transaction is (see Writer), so an existing row is left as it is.
_ADD_FAMILY = sqlite_insert(families).on_conflict_do_nothing()

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_NIL = str(uuid.UUID(int=0))


class Names(Protocol):
    """Draws what a new account may need beyond its token; `server.ids` does."""

    def uuid4(self) -> str: ...
    def username(self) -> str: ...
    def suffix(self) -> str: ...


@dataclass(frozen=True, slots=True)
class User:
    """What other players may look up."""

    id: str
    username: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its owner sees it; `subject` is that of its first identity."""

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
    subject: str


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


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account of a login, and whether the login made it."""

    account_id: str
    username: str
    created: bool


def derived_id(issuer: str, subject: str) -> str:
    """The account id of a subject that cannot be an id itself."""
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, issuer), subject))


def is_account_id(text: str) -> bool:
    """Whether `text` is the canonical text of a UUID other than nil. Texts are compared, never parsed."""
    return _UUID.fullmatch(text) is not None and text != _NIL


class Store:
    """The database. You must `open` it before use and `close` it at the end."""

    def __init__(self, names: Names, *, spent_tokens: int = SPENT_TOKENS) -> None:
        """`spent_tokens`: how many used identity tokens are remembered at once."""
        self._names = names
        self._spent = SpentTokens(spent_tokens)
        self._engines: list[AsyncEngine] = []

    async def open(self, url: str) -> None:
        """Open `sqlite:///path`, making file, folder and tables where missing. Raises ValueError."""
        path = sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writing = open_engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._reading = open_engine(path, begin="BEGIN", pool_size=READERS)
        self._engines = [self._writing, self._reading]
        try:
            async with self._writing.begin() as connection:
                await connection.run_sync(metadata.create_all)
        except DBAPIError as error:
            raise ValueError(f"storage.url: {path}: {error.orig}") from None
        self._writer = Writer(self._writing)

    async def close(self) -> None:
        engines, self._engines = self._engines, []
        for engine in engines:
            await engine.dispose()

    async def login(
        self,
        issuer: str,
        subject: str,
        family: NewFamily,
        *,
        create: bool,
        username: str | None,
        display_name: str = "",
        token: Spending | None = None,
    ) -> LoggedIn | None:
        """Find or create the account of (issuer, subject) and add `family` to it, in one transaction.

        `username` and `display_name` are wished for at creation only; a username that is taken gets a
        suffix, none a random name. Returns None when there is no account and `create` is false; nothing is
        written then. A login that is made uses `token` up. Raises `TokenSpent` and `NoRoom`.
        """

        async def work(connection: AsyncConnection) -> LoggedIn | None:
            found = await self._find(connection, issuer, subject)
            if found is None and create:
                found = await self._create(
                    connection, issuer, subject, username, display_name, now=family.created_at
                )
            if found is not None:
                await connection.execute(_ADD_FAMILY, _family_row(found.account_id, family))
            return found

        return await self._insert(
            self._spent.using_up(token, work, lambda found: found is not None, now=family.created_at)
        )

    async def link(
        self, account_id: str, name: IdentityName, *, now: int, limit: int, token: Spending | None = None
    ) -> Link:
        """Let an identity sign in to the account too; if it then may, that uses `token` up.

        Raises `TokenSpent` and `NoRoom`.
        """

        async def work(connection: AsyncConnection) -> Link:
            return await links.link(connection, account_id, name, now=now, limit=limit)

        return await self._insert(
            self._spent.using_up(token, work, lambda outcome: outcome in (Link.MADE, Link.OWN), now=now)
        )

    async def unlink(
        self, account_id: str, name: IdentityName, *, now: int, token: Spending | None = None
    ) -> bool:
        """Take an identity from the account, which uses `token` up. False: not its own, or its last one.

        Raises `TokenSpent` and `NoRoom`.
        """

        async def work(connection: AsyncConnection) -> bool:
            return await links.unlink(connection, account_id, name, now=now)

        return await self._insert(self._spent.using_up(token, work, bool, now=now))

    async def account(self, account_id: str) -> Account | None:
        """The account with this id."""
        query = (
            select(accounts, identities.c.subject)
            .join(identities, identities.c.account_id == accounts.c.id)
            .where(accounts.c.id == account_id)
            .order_by(identities.c.create_time, identities.c.issuer, identities.c.subject)
            .limit(1)
        )
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else Account(**row)

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> list[User]:
        """The accounts among these ids and names, each once; unknown ones are absent."""
        found: dict[str, User] = {}
        async with self._reading.connect() as connection:
            for column, wanted in ((accounts.c.id, ids), (accounts.c.username, usernames)):
                for start in range(0, len(wanted), CHUNK):
                    query = select(accounts.c.id, accounts.c.username).where(
                        column.in_(wanted[start : start + CHUNK])
                    )
                    for row in await connection.execute(query):
                        found[row.id] = User(row.id, row.username)
        return list(found.values())

    async def family(self, family_id: str) -> Family | None:
        """The login with this id, if it was not revoked, with its account's present name."""
        query = (
            select(families, accounts.c.username)
            .join(accounts, accounts.c.id == families.c.account_id)
            .where(families.c.id == family_id, families.c.revoked_at.is_(None))
        )
        async with self._reading.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _family(row)

    async def use_family(self, family_id: str, *, now: int, session_exp: int) -> bool:
        """Note a refresh whose session token ends at `session_exp`. False: the login is over or gone."""
        statement = (
            update(families)
            .where(families.c.id == family_id, families.c.revoked_at.is_(None), families.c.absolute_exp > now)
            .values(last_used_at=now, session_exp=session_exp)
        )

        async def work(connection: AsyncConnection) -> bool:
            return (await connection.execute(statement)).rowcount == 1

        return await self._writer.run(work)

    async def revoke_families(self, family_ids: Collection[str], *, now: int, reason: str) -> list[Revoked]:
        """End these logins. Returns all of them that exist, also those that had ended before."""
        return await self._revoke(families.c.id.in_(sorted(family_ids)), now, reason)

    async def revoke_account(self, account_id: str, *, now: int, reason: str) -> list[Revoked]:
        """End every login of an account that could still be used."""
        return await self._revoke(
            (families.c.account_id == account_id) & (families.c.absolute_exp > now), now, reason
        )

    async def revoked_families(self, now: int) -> list[Revoked]:
        """The ended logins that a session token could still be shown of."""
        query = select(families.c.id, families.c.session_exp).where(
            families.c.revoked_at.is_not(None), families.c.session_exp > now
        )
        async with self._reading.connect() as connection:
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

        return await self._writer.run(work)

    async def _insert(self, work: Work[T]) -> T:
        for _ in range(ATTEMPTS):
            try:
                return await self._writer.run(work)
            except IntegrityError:
                continue  # another process inserted the same key between our look and our insert
        raise AssertionError("every attempt to insert met a taken key")

    async def _find(self, connection: AsyncConnection, issuer: str, subject: str) -> LoggedIn | None:
        row = (await connection.execute(_FIND, {"issuer": issuer, "subject": subject})).first()
        return None if row is None else LoggedIn(row.id, row.username, created=False)

    async def _create(
        self,
        connection: AsyncConnection,
        issuer: str,
        subject: str,
        username: str | None,
        display_name: str,
        *,
        now: int,
    ) -> LoggedIn:
        account_id = await self._free_id(connection, issuer, subject)
        name = await self._free_name(connection, username)
        await connection.execute(
            insert(accounts).values(
                id=account_id, username=name, display_name=display_name, create_time=now, update_time=now
            )
        )
        await connection.execute(
            insert(identities).values(issuer=issuer, subject=subject, account_id=account_id, create_time=now)
        )
        return LoggedIn(account_id, name, created=True)

    async def _free_id(self, connection: AsyncConnection, issuer: str, subject: str) -> str:
        # The derived id too may be taken: by an issuer that gives it out as a subject. A random one then
        # keeps the two apart.
        for candidate in (subject, derived_id(issuer, subject)):
            if is_account_id(candidate) and not await _taken(connection, accounts.c.id, candidate):
                return candidate
        return self._names.uuid4()

    async def _free_name(self, connection: AsyncConnection, wanted: str | None) -> str:
        name = wanted or self._names.username()
        for _ in range(ATTEMPTS):
            if not await _taken(connection, accounts.c.username, name):
                return name
            name = suffixed(wanted, self._names.suffix()) if wanted else self._names.username()
        return self._names.uuid4()


def suffixed(name: str, suffix: str) -> str:
    """`name-suffix`, the name cut at a character so that the whole stays within the limit for names."""
    room = NAME_BYTES - len(suffix.encode()) - 1
    return f"{name.encode()[:room].decode(errors='ignore')}-{suffix}"


async def _taken(connection: AsyncConnection, column: ColumnElement[str], value: str) -> bool:
    return bool(await connection.scalar(select(exists().where(column == value))))


def _family_row(account_id: str, family: NewFamily) -> dict[str, Any]:
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
