"""Sign in, refresh, log out, get a ticket: the requests as values for `identity`, its answers as JSON.

In cookie mode the refresh token is in the cookie, coming and going, and in no body.
"""

from aiohttp import web

from server.identity.bridge import Bridge, Login
from server.identity.failures import RequestInvalid, Unauthenticated
from server.identity.logins import INVALID_REFRESH, Logins
from server.identity.tickets import TICKET_TTL_S, Tickets
from server.identity.tokens import Pair, SessionClaims
from server.web.cookies import RefreshCookies
from server.web.errors import answer, json_response
from server.web.parameters import boolean, scalar
from server.web.reading import body_object, credentials, field, text, text_map


async def authenticate_custom(request: web.Request, bridge: Bridge, cookies: RefreshCookies) -> web.Response:
    """`POST /v2/account/authenticate/custom`: `id` is the identity provider's token, and all that counts."""
    in_cookie = cookies.asked(request)
    body = await body_object(request)
    login = await bridge.login(
        field(body, "id"),
        text_map(body, "vars"),
        create=boolean(request, "create") is not False,
        wanted_username=scalar(request, "username") or None,
    )
    created = {"created": True} if login.created else {}
    return _issued(login, created, cookies if in_cookie else None)


async def refresh(request: web.Request, logins: Logins, cookies: RefreshCookies) -> web.StreamResponse:
    """`POST /v2/account/session/refresh`."""
    in_cookie = cookies.asked(request)
    body = await body_object(request)
    token = text(body, "token")
    if not in_cookie:
        return _issued(await logins.refresh(token, text_map(body, "vars")), {}, None)
    if token:
        raise RequestInvalid("In cookie mode the refresh token is in the cookie only.")
    try:
        if not (token := cookies.token(request)):
            raise Unauthenticated(INVALID_REFRESH)
        pair = await logins.refresh(token, text_map(body, "vars"))
    except Unauthenticated as error:
        refused = answer(error)
        cookies.clear(refused)
        return refused
    return _issued(pair, {}, cookies)


async def logout(
    request: web.Request,
    caller: SessionClaims,
    logins: Logins,
    cookies: RefreshCookies,
) -> web.Response:
    """`POST /v2/session/logout`: durable, and the sockets told to close, before it is answered.

    In cookie mode the cookie is the refresh token, and it is never everything that is logged out.
    """
    in_cookie = cookies.asked(request)
    body = await body_object(request)
    token, refresh_token = text(body, "token"), text(body, "refresh_token")
    response = json_response({})
    if in_cookie:
        if refresh_token:
            raise RequestInvalid("In cookie mode the refresh token is in the cookie only.")
        refresh_token = cookies.token(request)
        if not refresh_token:
            token = token or credentials(request, "Bearer") or ""
        cookies.clear(response)
    await logins.logout(caller, token, refresh_token)
    return response


async def ticket(request: web.Request, caller: SessionClaims, tickets: Tickets) -> web.Response:
    """`POST /v2/session/ticket`: shown once, at `/ws`, it stands for the session token of this request."""
    await body_object(request)
    return json_response({"ticket": tickets.issue(caller), "expires_in": TICKET_TTL_S})


def _issued(pair: Pair | Login, created: dict[str, bool], cookies: RefreshCookies | None) -> web.Response:
    """A session token, and the refresh token either in the body or in the cookie, never in both."""
    if cookies is None:
        return json_response(created | {"token": pair.token, "refresh_token": pair.refresh_token})
    response = json_response(created | {"token": pair.token})
    cookies.keep(response, pair.refresh_token)
    return response
