"""What a player may do with their own account: read it, change it, delete it."""

from typing import Any

import structlog
from aiohttp import web

from server.clock import Clock
from server.identity import usernames
from server.identity.logins import Logins
from server.identity.tokens import SessionClaims
from server.storage.profiles import Updated
from server.storage.store import Account, Store
from server.web.errors import Code, Failure, json_response
from server.web.reading import body_object, optional_text
from server.web.users import IsOnline, user_json

log = structlog.get_logger("lockgate.web")

MAX_CHARACTERS = {
    "display_name": 255,
    "avatar_url": 512,
    "lang_tag": 18,
    "location": 255,
    "timezone": 255,
}
"""What the reference's database takes; an empty text clears the field."""

NAME_IN_USE = "rpc error: code = AlreadyExists desc = Username is already in use."
"""With the words of the reference, which repeats its inner status."""


async def get_account(caller: SessionClaims, store: Store, is_online: IsOnline) -> web.Response:
    """`GET /v2/account`."""
    account = await store.account(caller.user_id)
    if account is None:
        raise _gone()
    return json_response(account_json(account, online=is_online(account.id)))


async def update_account(
    request: web.Request, caller: SessionClaims, store: Store, clock: Clock
) -> web.Response:
    """`PUT /v2/account`: sets what is given. Tokens keep their username until they are refreshed."""
    changes = _changes(await body_object(request))
    if not changes:
        raise _invalid("No fields to update.")
    match await store.profiles.update(caller.user_id, changes, now=int(clock.wall())):
        case Updated.NAME_TAKEN:
            raise _invalid(NAME_IN_USE)
        case Updated.NO_ACCOUNT:
            raise _gone()
        case Updated.MADE:
            log.info("account_updated", user_id=caller.user_id, fields=sorted(changes))
    return json_response({})


async def delete_account(caller: SessionClaims, logins: Logins) -> web.Response:
    """`DELETE /v2/account`: durable, tokens dead and sockets told to close, before the answer."""
    await logins.delete_account(caller)
    return json_response({})


def account_json(account: Account, *, online: bool) -> dict[str, Any]:
    """The reference's Account message."""
    return {"user": user_json(account, online=online), "wallet": "{}", "custom_id": account.subject}


def _changes(body: dict[str, Any]) -> dict[str, str]:
    """The columns that a body sets. Raises Failure and RequestInvalid."""
    given = {name: optional_text(body, name) for name in ("username", *MAX_CHARACTERS)}
    changes = {name: value for name, value in given.items() if value is not None}
    if (username := changes.get("username")) is not None:
        if not 1 <= len(username.encode()) <= usernames.MAX_BYTES:  # told before anything else is
            raise _invalid("Username invalid, must be 1-128 bytes.")
        usernames.check(username)
    for name, most in MAX_CHARACTERS.items():
        value = changes.get(name, "")
        if len(value) > most or "\0" in value:
            title = name.replace("_", " ").capitalize()
            raise _invalid(f"{title} invalid, must be at most {most} characters without NUL.")
    return changes


def _invalid(message: str) -> Failure:
    return Failure(Code.INVALID_ARGUMENT, message)


def _gone() -> Failure:
    return Failure(Code.NOT_FOUND, "Account not found.")
