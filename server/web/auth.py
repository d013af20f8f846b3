"""Sign in, refresh, log out: the requests as values for `identity`, its answers as JSON."""

from aiohttp import web

from server.identity.bridge import Bridge
from server.identity.logins import Logins
from server.identity.tokens import SessionClaims
from server.web.errors import json_response
from server.web.reading import body_object, field, query_bool, query_text, text, text_map


async def authenticate_custom(request: web.Request, bridge: Bridge) -> web.Response:
    """`POST /v2/account/authenticate/custom`: `id` is the identity provider's token, and all that counts."""
    body = await body_object(request)
    login = await bridge.login(
        field(body, "id"),
        text_map(body, "vars"),
        create=query_bool(request, "create", default=True),
        wanted_username=query_text(request, "username") or None,
    )
    created = {"created": True} if login.created else {}
    return json_response(created | {"token": login.token, "refresh_token": login.refresh_token})


async def refresh(request: web.Request, logins: Logins) -> web.Response:
    """`POST /v2/account/session/refresh`."""
    body = await body_object(request)
    pair = await logins.refresh(text(body, "token"), text_map(body, "vars"))
    return json_response({"token": pair.token, "refresh_token": pair.refresh_token})


async def logout(request: web.Request, caller: SessionClaims, logins: Logins) -> web.Response:
    """`POST /v2/session/logout`: durable, and the sockets told to close, before it is answered."""
    body = await body_object(request)
    await logins.logout(caller, text(body, "token"), text(body, "refresh_token"))
    return json_response({})
