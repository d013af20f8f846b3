"""The route table of the public site, as data: what is open, and what asks for what.

What happens around a request, and to one that is not in the table, is in `site.py`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from server.clock import Clock
from server.identity.bridge import Bridge
from server.identity.links import Links
from server.identity.logins import Logins
from server.identity.tokens import SessionClaims, Tokens
from server.ids import Ids
from server.storage.store import Store
from server.web import account, auth, channel, links, matches, notifications, parties, rpc, storage, users
from server.web.address import ClientAddresses
from server.web.browsers import Browsers
from server.web.errors import json_response
from server.world import Functions, LiveMatches

Upgrade = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class SiteDeps:
    """What the site is made of. `upgrade` answers `GET /ws`, finding out who calls included."""

    bridge: Bridge
    logins: Logins
    links: Links
    tokens: Tokens
    store: Store
    clock: Clock
    ids: Ids
    server_key: str = field(repr=False)
    http_key: str = field(repr=False)
    functions: Functions
    live_matches: LiveMatches
    relayed: matches.Relayed
    upgrade: Upgrade
    browsers: Browsers
    list_parties: parties.OpenListing
    is_online: users.IsOnline
    readable: channel.Readable
    addresses: ClientAddresses
    allowed_origins: tuple[str, ...] = ("*",)


Call = Callable[[SiteDeps, web.Request], Awaitable[web.StreamResponse]]
PlayerCall = Callable[[SiteDeps, web.Request, SessionClaims], Awaitable[web.StreamResponse]]
Admit = Callable[[SiteDeps, str], None]


class Scheme(Enum):
    """How a caller who is not a player yet proves that they may call."""

    NONE = "none"
    SERVER_KEY = "server_key"


@dataclass(frozen=True, slots=True)
class Route:
    """A line of the table that is open, or asks for the server key (Basic).

    `admit`: takes one from the limit of the caller's address that this route counts against.
    """

    method: str
    path: str
    scheme: Scheme
    call: Call
    admit: Admit | None = None


@dataclass(frozen=True, slots=True)
class PlayerRoute:
    """A line of the table that asks for a session token (Bearer) and is given its claims."""

    method: str
    path: str
    call: PlayerCall
    admit: Admit | None = None


async def _root(_deps: SiteDeps, _request: web.Request) -> web.StreamResponse:
    return web.Response()


async def _healthcheck(_deps: SiteDeps, _request: web.Request) -> web.StreamResponse:
    return json_response({})


def _login(deps: SiteDeps, address: str) -> None:
    deps.bridge.limits.admit_address(address)


def _refresh(deps: SiteDeps, address: str) -> None:
    deps.logins.limits.admit_address(address)


async def _call_function(deps: SiteDeps, request: web.Request) -> web.StreamResponse:
    address = deps.addresses.of(request)
    return await rpc.call(request, address, deps.functions, deps.tokens, deps.http_key.encode())


async def _delete_objects(deps: SiteDeps, request: web.Request, caller: SessionClaims) -> web.StreamResponse:
    return await storage.delete_objects(request, caller, deps.store.objects)


async def _list_objects(deps: SiteDeps, request: web.Request, caller: SessionClaims) -> web.StreamResponse:
    return await storage.list_objects(request, caller, deps.store.objects)


ROUTES: tuple[Route | PlayerRoute, ...] = (
    Route("GET", "/", Scheme.NONE, _root),
    Route("GET", "/healthcheck", Scheme.NONE, _healthcheck),
    Route("GET", "/ws", Scheme.NONE, lambda deps, request: deps.upgrade(request)),
    Route(
        "POST",
        "/v2/account/authenticate/custom",
        Scheme.SERVER_KEY,
        lambda deps, request: auth.authenticate_custom(request, deps.bridge, deps.browsers.cookies),
        admit=_login,
    ),
    Route(
        "POST",
        "/v2/account/session/refresh",
        Scheme.SERVER_KEY,
        lambda deps, request: auth.refresh(request, deps.logins, deps.browsers.cookies),
        admit=_refresh,
    ),
    PlayerRoute(
        "POST",
        "/v2/account/link/custom",
        lambda deps, request, caller: links.link_custom(request, caller, deps.links),
        admit=_login,
    ),
    PlayerRoute(
        "POST",
        "/v2/account/unlink/custom",
        lambda deps, request, caller: links.unlink_custom(request, caller, deps.links),
        admit=_login,
    ),
    PlayerRoute(
        "POST",
        "/v2/session/logout",
        lambda deps, request, caller: auth.logout(request, caller, deps.logins, deps.browsers.cookies),
    ),
    PlayerRoute(
        "POST",
        "/v2/session/ticket",
        lambda deps, request, caller: auth.ticket(request, caller, deps.browsers.tickets),
    ),
    PlayerRoute(
        "GET",
        "/v2/account",
        lambda deps, _request, caller: account.get_account(caller, deps.store, deps.is_online),
    ),
    PlayerRoute(
        "PUT",
        "/v2/account",
        lambda deps, request, caller: account.update_account(request, caller, deps.store, deps.clock),
    ),
    PlayerRoute(
        "DELETE",
        "/v2/account",
        lambda deps, _request, caller: account.delete_account(caller, deps.logins),
    ),
    PlayerRoute(
        "GET",
        "/v2/user",
        lambda deps, request, _caller: users.get_users(request, deps.store.profiles, deps.is_online),
    ),
    PlayerRoute(
        "GET",
        "/v2/match",
        lambda deps, request, _caller: matches.list_matches(request, deps.live_matches, deps.relayed),
    ),
    PlayerRoute(
        "GET",
        "/v2/party",
        lambda deps, request, _caller: parties.list_parties(request, deps.list_parties),
    ),
    PlayerRoute(
        "GET",
        "/v2/channel/{channel_id:[^/]+}",  # a room may have braces in its name
        lambda deps, request, caller: channel.list_messages(
            request, caller, deps.store.messages, deps.readable
        ),
    ),
    PlayerRoute(
        "GET",
        "/v2/notification",
        lambda deps, request, caller: notifications.list_notifications(
            request, caller, deps.store.notifications
        ),
    ),
    PlayerRoute(
        "DELETE",
        "/v2/notification",
        lambda deps, request, caller: notifications.delete_notifications(
            request, caller, deps.store.notifications
        ),
    ),
    PlayerRoute(
        "PUT",
        "/v2/storage",
        lambda deps, request, caller: storage.write_objects(request, caller, deps.store.objects, deps.clock),
    ),
    PlayerRoute(
        "POST",
        "/v2/storage",
        lambda deps, request, caller: storage.read_objects(request, caller, deps.store.objects),
    ),
    PlayerRoute("DELETE", "/v2/storage", _delete_objects),
    PlayerRoute("PUT", "/v2/storage/delete", _delete_objects),
    PlayerRoute("GET", "/v2/storage/{collection:[^/]+}", _list_objects),
    PlayerRoute("GET", "/v2/storage/{collection:[^/]+}/{user_id:[^/]+}", _list_objects),
    Route("GET", rpc.PATH, Scheme.NONE, _call_function),
    Route("POST", rpc.PATH, Scheme.NONE, _call_function),
)
