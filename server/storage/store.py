"""Accounts, identities and login families, as values in and values out.

Each write is one transaction and is on disk when its call returns. Who may do what is not decided here; the
rules for the id and the name of a new account are, because they need the transaction.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from sqlalchemy import Select, bindparam, delete, exists, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from protocol.messages.notification import CHAT_REQUEST
from server.sections import ObjectSettings
from server.storage import bans, families, links, messages, notifications, objects, profiles
from server.storage.bans import Bans
from server.storage.database import POOL_SIZE, Database
from server.storage.engine import TIMEOUT_S, Work
from server.storage.families import Families, NewFamily
from server.storage.kept_matches import KeptMatches
from server.storage.links import IdentityName, Link
from server.storage.messages import Messages
from server.storage.notifications import NotificationStore
from server.storage.objects import StoredObjects
from server.storage.profiles import Profile, Profiles
from server.storage.revocations import Ended, RevocationLog, Revoked, record
from server.storage.spent_tokens import Spending, SpentTokens
from server.storage.tables import accounts, identities

T = TypeVar("T")

ATTEMPTS = 8
NAME_BYTES = 128
SPENT_TOKENS = 100_000
FAMILIES = 20
OBJECTS = ObjectSettings()

# Built once: SQLAlchemy takes longer to build a statement and to find it in its cache than to run it.
_FIND = (
    select(accounts.c.id, accounts.c.username)
    .join(identities, identities.c.account_id == accounts.c.id)
    .where(identities.c.issuer == bindparam("issuer"), identities.c.subject == bindparam("subject"))
)
# Both rows: one that locks the account alone may go on with an identity that was unlinked while it waited.
_FIND_LOCKED = _FIND.with_for_update()

_ID_TAKEN = select(exists().where(accounts.c.id == bindparam("value")))
_NAME_TAKEN = select(exists().where(accounts.c.username == bindparam("value")))
_ADD_ACCOUNT = insert(accounts)
_ADD_IDENTITY = insert(identities)

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
class Account(Profile):
    """An account as its owner sees it; `subject` is that of its first identity."""

    subject: str


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account of a login, whether the login made it, and which older logins it ended."""

    account_id: str
    username: str
    created: bool
    ended: tuple[Revoked, ...] = ()


def derived_id(issuer: str, subject: str) -> str:
    """The account id of a subject that cannot be an id itself."""
    return str(uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, issuer), subject))


def is_account_id(text: str) -> bool:
    """Whether `text` is the canonical text of a UUID other than nil. Texts are compared, never parsed."""
    return _UUID.fullmatch(text) is not None and text != _NIL


class Store:
    """The database. You must `open` it before use and `close` it at the end."""

    def __init__(
        self, names: Names, *, spent_tokens: int = SPENT_TOKENS, objects: ObjectSettings = OBJECTS
    ) -> None:
        """`spent_tokens`: how many used identity tokens are remembered at once."""
        self._names = names
        self._spent = SpentTokens(spent_tokens)
        self.database = Database()
        self.families = Families(self.database)
        self.bans = Bans(self.database)
        self.profiles = Profiles(self.database)
        self.revocations = RevocationLog(self.database)
        self.messages = Messages(self.database)
        self.matches = KeptMatches(self.database)
        self.notifications = NotificationStore(self.database)
        self.objects = StoredObjects(self.database, objects)

    async def open(self, url: str, *, pool_size: int = POOL_SIZE, timeout_s: float = TIMEOUT_S) -> None:
        """Open `sqlite:///path` or `postgresql://…`, and bring its schema up to date. Raises ValueError."""
        await self.database.open(url, pool_size=pool_size, timeout_s=timeout_s)

    async def close(self) -> None:
        await self.database.close()

    async def login(
        self,
        family: NewFamily,
        *,
        create: bool,
        username: str | None,
        display_name: str = "",
        token: Spending | None = None,
        keep: int = FAMILIES,
    ) -> LoggedIn | None:
        """Find or create the account of the family's identity and add `family` to it, in one transaction.

        `username` and `display_name` are wished for at creation only; a username that is taken gets a
        suffix, none a random name. Returns None when there is no account and `create` is false; nothing is
        written then. A login that is made uses `token` up, and ends the oldest ones of the account so that
        `keep` are left. Raises `Banned`, `TokenSpent` and `NoRoom`.
        """
        name = IdentityName(family.issuer, family.subject)
        now = family.created_at

        async def work(connection: AsyncConnection) -> LoggedIn | None:
            found = await self._find(connection, name, _FIND_LOCKED)
            if found is None:  # without an account to lock, a ban must wait, or be waited for, otherwise
                await bans.take_turn_of(connection, name)
            await bans.check(connection, name)
            if found is None and create:
                found = await self._create(connection, name, username, display_name, now=now)
            if found is None:
                return None
            await families.add(connection, found.account_id, found.username, family)
            if found.created:
                return found
            ended = await families.crowd_out(
                connection,
                found.account_id,
                family.id,
                keep=keep,
                now=now,
                reason=Ended.REPLACED if keep == 1 else Ended.CROWDED_OUT,
            )
            await record(connection, ended)
            return replace(found, ended=tuple(ended))

        return await self._insert(self._spent.using_up(token, work, lambda found: found is not None, now=now))

    async def link(
        self, account_id: str, name: IdentityName, *, now: int, limit: int, token: Spending | None = None
    ) -> Link:
        """Let an identity sign in to the account too; if it then may, that uses `token` up.

        Raises `Banned`, `TokenSpent` and `NoRoom`.
        """

        async def work(connection: AsyncConnection) -> Link:
            # An account that is banned at this moment must not get an identity that is not.
            await links.lock(connection, account_id)
            await bans.check_account(connection, account_id)
            await bans.check(connection, name)
            return await links.link(connection, account_id, name, now=now, limit=limit)

        return await self._insert(
            self._spent.using_up(token, work, lambda outcome: outcome in (Link.MADE, Link.OWN), now=now)
        )

    async def unlink(
        self,
        account_id: str,
        name: IdentityName,
        *,
        now: int,
        keep: str,
        token: Spending | None = None,
    ) -> list[Revoked] | None:
        """Take an identity from the account, which uses `token` up. None: not its own, or its last one.

        Returns the logins that the identity had made: they end, but for the one called `keep`. Raises
        `TokenSpent` and `NoRoom`.
        """

        async def work(connection: AsyncConnection) -> list[Revoked] | None:
            ended = await links.unlink(connection, account_id, name, now=now, keep=keep)
            await record(connection, ended or [])
            return ended

        return await self._insert(self._spent.using_up(token, work, lambda ended: ended is not None, now=now))

    async def delete(self, account_id: str, *, now: int) -> list[Revoked] | None:
        """Remove an account and all that belongs to it; bans stay. Returns its logins, which end.

        None: there is no such account. The same identity may sign up again, to a new account.
        """

        async def work(connection: AsyncConnection) -> list[Revoked] | None:
            if not await links.lock(connection, account_id):
                return None
            ended = await families.remove(connection, account_id, now, Ended.DELETED)
            await messages.forget(connection, account_id)
            await notifications.forget(connection, account_id, requests=CHAT_REQUEST)
            await objects.forget(connection, account_id)
            await connection.execute(delete(identities).where(identities.c.account_id == account_id))
            await connection.execute(delete(accounts).where(accounts.c.id == account_id))
            await record(connection, ended)
            return ended

        return await self.database.write(work)

    async def account_of(self, name: IdentityName) -> str | None:
        """The id of the account that an identity signs in to."""
        async with self.database.read() as connection:
            found = await self._find(connection, name)
        return None if found is None else found.account_id

    async def account(self, account_id: str) -> Account | None:
        """The account with this id."""
        query = (
            select(accounts, identities.c.subject)
            .join(identities, identities.c.account_id == accounts.c.id)
            .where(accounts.c.id == account_id)
            .order_by(identities.c.create_time, identities.c.issuer, identities.c.subject)
            .limit(1)
        )
        async with self.database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else Account(**row)

    async def find_users(self, ids: Sequence[str], usernames: Sequence[str]) -> list[User]:
        """The accounts among these ids and names, each once; unknown ones are absent."""
        async with self.database.read() as connection:
            rows = await profiles.find(connection, (accounts.c.id, accounts.c.username), ids, usernames)
        return [User(row.id, row.username) for row in rows]

    async def _insert(self, work: Work[T]) -> T:
        for _ in range(ATTEMPTS):
            try:
                return await self.database.write(work)
            except IntegrityError:
                continue  # another process inserted the same key between our look and our insert
        raise AssertionError("every attempt to insert met a taken key")

    async def _find(
        self, connection: AsyncConnection, name: IdentityName, query: Select[Any] = _FIND
    ) -> LoggedIn | None:
        row = (await connection.execute(query, name._asdict())).first()
        return None if row is None else LoggedIn(row.id, row.username, created=False)

    async def _create(
        self,
        connection: AsyncConnection,
        name: IdentityName,
        username: str | None,
        display_name: str,
        *,
        now: int,
    ) -> LoggedIn:
        account_id = await self._free_id(connection, name)
        username = await self._free_name(connection, username)
        account = {"id": account_id, "username": username, "display_name": display_name}
        await connection.execute(_ADD_ACCOUNT, account | {"create_time": now, "update_time": now})
        await connection.execute(
            _ADD_IDENTITY, {"account_id": account_id, "create_time": now, **name._asdict()}
        )
        return LoggedIn(account_id, username, created=True)

    async def _free_id(self, connection: AsyncConnection, name: IdentityName) -> str:
        # The derived id too may be taken: by an issuer that gives it out as a subject. A random one then
        # keeps the two apart.
        for candidate in (name.subject, derived_id(*name)):
            if is_account_id(candidate) and not await _taken(connection, _ID_TAKEN, candidate):
                return candidate
        return self._names.uuid4()

    async def _free_name(self, connection: AsyncConnection, wanted: str | None) -> str:
        name = wanted or self._names.username()
        for _ in range(ATTEMPTS):
            if not await _taken(connection, _NAME_TAKEN, name):
                return name
            name = suffixed(wanted, self._names.suffix()) if wanted else self._names.username()
        return self._names.uuid4()


def suffixed(name: str, suffix: str) -> str:
    """`name-suffix`, the name cut at a character so that the whole stays within the limit for names."""
    room = NAME_BYTES - len(suffix.encode()) - 1
    return f"{name.encode()[:room].decode(errors='ignore')}-{suffix}"


async def _taken(connection: AsyncConnection, query: Select[Any], value: str) -> bool:
    return bool(await connection.scalar(query, {"value": value}))
