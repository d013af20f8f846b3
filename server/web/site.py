"""The public HTTP site: what happens around every request to the routes of `table.py`.

Default closed: a method and path that are not in the table are answered 403. The access log is one event
per request, with the route's path only: a query string can hold a token.
"""

import hmac

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler, Middleware

from server.identity.tokens import SessionClaims, Tokens
from server.web.address import site_of
from server.web.coding import encode, wanted
from server.web.cors import Cors
from server.web.errors import Code, Failure, answer, forbidden, header_too_large
from server.web.handover import ask_for_body
from server.web.reading import MAX_BODY, basic_username, credentials
from server.web.table import ROUTES, PlayerRoute, Route, Scheme, SiteDeps

log = structlog.get_logger("lockgate.web")

MAX_HEAD = 9216
"""Bytes of a request's path and headers: the reference's 5120, and what Go allows beyond a limit."""
UNCODED = frozenset({"/", "/ws"})
"""Paths whose answers are never compressed."""
UNLISTED = "/{path:.*}"


def build_site(deps: SiteDeps, routes: tuple[Route | PlayerRoute, ...] = ROUTES) -> web.Application:
    """The application for the public listener. You must serve it with `SiteRunner`."""
    cors = Cors(deps.allowed_origins)
    app = web.Application(middlewares=[_observed(deps), _answered(deps, cors)], client_max_size=MAX_BODY + 1)
    for route in routes:
        app.router.add_route(route.method, route.path, _guarded(route, deps), expect_handler=_expect)
    app.router.add_route("*", UNLISTED, _unlisted, expect_handler=_expect)

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        if request.path not in UNCODED:
            response.headers["Cache-Control"] = "no-store, no-cache, must-revalidate"
            response.headers["Vary"] = "Accept-Encoding"
        cors.mark(request, response)

    app.on_response_prepare.append(complete)
    return app


async def _unlisted(_request: web.Request) -> web.StreamResponse:
    return forbidden()


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """RFC 9110 section 10.1.1. Ours, because aiohttp's refusal quotes the peer."""
    if request.headers["Expect"].lower() != "100-continue":
        return web.Response(status=417)
    if request.version >= HttpVersion11:
        await ask_for_body(request)
    return None


def _guarded(route: Route | PlayerRoute, deps: SiteDeps) -> Handler:
    server_key = deps.server_key.encode()

    async def handle(request: web.Request) -> web.StreamResponse:
        if isinstance(route, PlayerRoute):
            caller = _caller(request, deps.tokens)
            admit(request)
            return await route.call(deps, request, caller)
        if route.scheme is Scheme.SERVER_KEY:
            _check_server_key(request, server_key)
        admit(request)
        return await route.call(deps, request)

    def admit(request: web.Request) -> None:
        if route.admit is not None:
            route.admit(deps, site_of(deps.addresses.of(request)))

    return handle


def _check_server_key(request: web.Request, expected: bytes) -> None:
    encoded = credentials(request, "Basic")
    if encoded is None:
        raise Failure(Code.UNAUTHENTICATED, "Server key required")
    username = basic_username(encoded)
    if username is None or not hmac.compare_digest(username, expected):
        raise Failure(Code.UNAUTHENTICATED, "Server key invalid")


def _caller(request: web.Request, tokens: Tokens) -> SessionClaims:
    token = credentials(request, "Bearer")
    if token is None:
        raise Failure(Code.UNAUTHENTICATED, "Auth token required")
    caller = tokens.check_session(token)
    if caller is None:
        raise Failure(Code.UNAUTHENTICATED, "Auth token invalid")
    return caller


def _observed(deps: SiteDeps) -> Middleware:
    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = deps.clock.monotonic()
        with structlog.contextvars.bound_contextvars(trace_id=deps.ids.uuid4()):
            response = await handler(request)
            listed = _listed(request)
            log.debug(
                "http_request",
                # The table's path, not the caller's: theirs is unbounded and may hold anything.
                method=request.method if listed else None,
                path=listed,
                status=response.status,
                duration_s=round(deps.clock.monotonic() - began, 6),
            )
        return response

    return observe


def _listed(request: web.Request) -> str | None:
    resource = request.match_info.route.resource
    return None if resource is None or request.match_info.handler is _unlisted else resource.canonical


def _answered(deps: SiteDeps, cors: Cors) -> Middleware:
    @web.middleware
    async def respond(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _head_size(request) > MAX_HEAD:
            return header_too_large()
        if request.method == "OPTIONS":
            return cors.preflight(request)
        if request.path == "/ws" and not cors.allows(request):
            # A socket is not subject to the same-origin policy, so we refuse for it; and a ticket that a
            # foreign page knows is no secret any more.
            deps.browsers.callers.spend_tickets(request)
            return forbidden()
        try:
            response = await handler(request)
        except Exception as error:  # every failure ends here, as an answer
            response = answer(error)
        if request.path not in UNCODED:
            _code(request, response)
        return response

    return respond


def _head_size(request: web.Request) -> int:
    return len(request.raw_path) + sum(len(name) + len(value) + 4 for name, value in request.raw_headers)


def _code(request: web.Request, response: web.StreamResponse) -> None:
    coding = wanted(",".join(request.headers.getall("Accept-Encoding", [])))
    if coding is not None and isinstance(response, web.Response) and isinstance(response.body, bytes):
        response.body = encode(coding, response.body)
        response.headers["Content-Encoding"] = coding
