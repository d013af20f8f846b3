"""Accounts, identities and login families, as values in and values out.

Each write is one transaction and is on disk when its call returns. Who may do what is not decided here; the
rules for the id and the name of a new account are, because they need the transaction.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, bindparam, exists, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.storage import links
from server.storage.database import Database
from server.storage.engine import Work
from server.storage.families import Families, NewFamily, add_family
from server.storage.links import IdentityName, Link
from server.storage.spent_tokens import Spending, SpentTokens
from server.storage.tables import accounts, identities

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
        self._database = Database()
        self.families = Families(self._database)

    async def open(self, url: str) -> None:
        """Open `sqlite:///path`, making file, folder and tables where missing. Raises ValueError."""
        await self._database.open(url)

    async def close(self) -> None:
        await self._database.close()

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
                await add_family(connection, found.account_id, family)
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
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else Account(**row)

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> list[User]:
        """The accounts among these ids and names, each once; unknown ones are absent."""
        found: dict[str, User] = {}
        async with self._database.read() as connection:
            for column, wanted in ((accounts.c.id, ids), (accounts.c.username, usernames)):
                for start in range(0, len(wanted), CHUNK):
                    query = select(accounts.c.id, accounts.c.username).where(
                        column.in_(wanted[start : start + CHUNK])
                    )
                    for row in await connection.execute(query):
                        found[row.id] = User(row.id, row.username)
        return list(found.values())

    async def _insert(self, work: Work[T]) -> T:
        for _ in range(ATTEMPTS):
            try:
                return await self._database.write(work)
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
