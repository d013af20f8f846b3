"""What a player may do with their own account: read it, delete it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from server.identity.logins import Logins
from server.identity.tokens import SessionClaims
from server.storage.store import Account, Store
from server.web.errors import Code, Failure, json_response

IsOnline = Callable[[str], bool]

_OPTIONAL = ("display_name", "avatar_url", "lang_tag", "location", "timezone", "metadata")


async def get_account(caller: SessionClaims, store: Store, is_online: IsOnline) -> web.Response:
    """`GET /v2/account`."""
    account = await store.account(caller.user_id)
    if account is None:
        raise Failure(Code.NOT_FOUND, "Account not found.")
    return json_response(account_json(account, online=is_online(account.id)))


async def delete_account(caller: SessionClaims, logins: Logins) -> web.Response:
    """`DELETE /v2/account`: durable, tokens dead and sockets told to close, before the answer."""
    await logins.delete_account(caller)
    return json_response({})


def account_json(account: Account, *, online: bool) -> dict[str, Any]:
    """The reference's Account message: fields that are empty are left out."""
    user: dict[str, Any] = {"id": account.id, "username": account.username}
    user |= {name: value for name in _OPTIONAL if (value := getattr(account, name))}
    if online:
        user["online"] = True
    user |= {"create_time": _rfc3339(account.create_time), "update_time": _rfc3339(account.update_time)}
    return {"user": user, "wallet": "{}", "custom_id": account.subject}


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
