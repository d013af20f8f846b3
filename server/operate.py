"""What an operator does to players from a shell: end their logins, ban, unban, delete.

Works on the database alone, whether or not a server runs; every server on it learns of an ended login at its
next look, within a second, and closes the sockets. Knows nothing of HTTP.
"""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from server.clock import Clock
from server.config import Settings
from server.ids import Ids
from server.storage.failures import StorageUnavailable
from server.storage.links import IdentityName
from server.storage.revocations import Ended, Revoked
from server.storage.store import Store

REASON_LENGTH = 200


class NoSuchPlayer(Exception):
    """Nobody is known by what the operator named."""


class Operator:
    """Carries out a command on an open store. Each method returns a line for the operator."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def revoke(self, options: argparse.Namespace) -> str:
        """End one login, or those of a player. Raises `NoSuchPlayer`."""
        now = int(self._clock.wall())
        families = self._store.families
        if options.session is not None:
            await self._store.revocations.name_socket(options.session, now=now)
            return "asked: the server that has this socket ends its login"
        if options.family is not None:
            if await families.find(options.family) is None:
                raise NoSuchPlayer("no such login")
            return _ended(await families.revoke([options.family], now=now, reason=Ended.OPERATOR))
        account_id = await self._account(options)
        return _ended(
            await families.revoke_account(account_id, now=now, reason=Ended.OPERATOR, before=options.before)
        )

    async def ban(self, options: argparse.Namespace) -> str:
        """Ban a player with all identities, or an identity that has no account yet. Raises `NoSuchPlayer`."""
        account_id, names = await self._banned(options)
        now = int(self._clock.wall())
        return (
            f"banned; {_ended(await self._store.bans.ban(account_id, names, reason=options.reason, now=now))}"
        )

    async def unban(self, options: argparse.Namespace) -> str:
        """Let a banned player, or identity, sign in again. Raises `NoSuchPlayer`."""
        account_id, names = await self._banned(options)
        lifted = await self._store.bans.unban(account_id, names)
        return f"identities that may sign in again: {lifted}"

    async def delete(self, options: argparse.Namespace) -> str:
        """Remove an account and its data; a ban of its identities stays. Raises `NoSuchPlayer`."""
        ended = await self._store.delete(await self._account(options), now=int(self._clock.wall()))
        if ended is None:
            raise NoSuchPlayer("no such account")
        return f"account deleted; {_ended(ended)}"

    async def _banned(self, options: argparse.Namespace) -> tuple[str | None, Sequence[IdentityName]]:
        if options.user is not None:
            return await self._account(options), ()
        name = IdentityName(options.issuer, options.subject)
        return await self._store.account_of(name), (name,)

    async def _account(self, options: argparse.Namespace) -> str:
        if options.user is None:
            found = await self._store.account_of(IdentityName(options.issuer, options.subject))
        else:
            account = await self._store.account(options.user)
            found = None if account is None else account.id
        if found is None:
            raise NoSuchPlayer("no such account")
        return found


async def operate(settings: Settings, options: argparse.Namespace, clock: Clock, ids: Ids) -> str:
    """Carry out `options.command`. Raises `NoSuchPlayer`, and ValueError for a database that is no good."""
    store = Store(ids)
    try:
        await store.open(settings.storage.url.get_secret_value(), timeout_s=settings.storage.timeout_s)
        operator = Operator(store, clock)
        commands: dict[str, Callable[[argparse.Namespace], Awaitable[str]]] = {
            "revoke": operator.revoke,
            "ban": operator.ban,
            "unban": operator.unban,
            "delete-account": operator.delete,
        }
        return await commands[options.command](options)
    except StorageUnavailable as error:
        raise ValueError(f"the database cannot be used: {error.reason.value}") from None
    finally:
        await store.close()


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    """How a command names its player, and what else it takes."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", metavar="ID", help="the account's id")
    who.add_argument("--subject", metavar="SUB", help="the player's subject at --issuer")
    parser.add_argument("--issuer", metavar="URL", help="the identity provider, as in its tokens")
    if command == "revoke":
        who.add_argument("--family", metavar="ID", help="one login, by the family_id of the logs")
        who.add_argument("--session", metavar="ID", help="the login of an open socket, by its session_id")
        parser.add_argument(
            "--before", metavar="TIME", type=moment, help="only logins made before, as 2026-01-31T12:00:00Z"
        )
    if command == "ban":
        parser.add_argument("--reason", default="", type=_reason, help="kept with the ban, for operators")


def check_arguments(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what argparse cannot express."""
    if (options.subject is None) != (options.issuer is None):
        parser.error("--subject and --issuer belong together")
    if getattr(options, "before", None) is not None and (options.family or options.session):
        parser.error("--before is about the logins of a player, not about one login")


def moment(text: str) -> int:
    """Whole Unix seconds of an ISO 8601 time, or of that number itself. UTC where no zone is given."""
    if text.isdecimal():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a time such as 2026-01-31T12:00:00Z") from None
    return int((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp())


def _reason(text: str) -> str:
    if len(text) > REASON_LENGTH or not text.isprintable():
        raise argparse.ArgumentTypeError(f"must be at most {REASON_LENGTH} printable characters")
    return text


def _ended(revoked: Sequence[Revoked]) -> str:
    return f"logins ended: {len(revoked)}"
