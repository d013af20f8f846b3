"""The composition root: builds everything in order, starts it, and stops it roughly in reverse."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import structlog
from aiohttp import web

from protocol.close import CloseReason
from server import __version__, handlers, readings
from server.clock import Clock, SystemClock
from server.config import ConfigError, IdentitySettings, IssuerSettings, Settings, parse_address
from server.core.match import Matches
from server.core.presence import Presences
from server.core.status import Statuses
from server.identity.before_authenticate import BeforeAuthenticate, Hook
from server.identity.bridge import Bridge
from server.identity.devissuer import DevIssuer
from server.identity.jwks import Jwks
from server.identity.links import Links
from server.identity.logins import Logins
from server.identity.revocation import Revocations
from server.identity.signingkeys import KeyFileError, SigningKeys
from server.identity.tokens import Lifetimes, Tokens
from server.ids import RandomIds
from server.observe import logs, metrics
from server.perform import Performer
from server.router import Router
from server.sessions.registry import Registry
from server.storage.store import Store
from server.tasks import TaskOwner
from server.transport.keepalive import Keepalive
from server.web.address import ClientAddresses
from server.web.listener import SiteRunner
from server.web.ops import OpsDeps, build_ops
from server.web.site import ROUTES, PlayerRoute, Route, SiteDeps, build_site
from server.web.upgrade import Upgrade
from server.world import World

log = structlog.get_logger("lockgate.app")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
BACKLOG = 4096
"""Connections that may wait to be accepted: a match that ends sends all its players back at once."""
LOGIN_LIMITS = ("logins_per_minute_per_address", "logins_per_minute_per_subject")
SOCKET_ROUTES = tuple(route for route in ROUTES if route.path == "/ws")
"""What a separate listener for sockets serves."""


async def serve(settings: Settings, *, dev: bool = False) -> None:
    """Run until SIGTERM or SIGINT, then drain; a second signal stops now.

    Raises `ConfigError` when the server cannot start as it is configured.
    """
    logs.configure(settings.log.level, settings.log.format)
    draining, now = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (now if draining.is_set() else draining).set()

    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    server = Server(settings, dev=dev)
    try:
        await server.start()
        await draining.wait()
        await server.drain(now)
    except (OSError, ValueError, KeyFileError) as error:
        raise ConfigError([f"cannot start: {error}"]) from error
    finally:
        await server.stop()


class Server:
    """One process of Lockgate. `start` it, `drain` it, `stop` it."""

    def __init__(
        self,
        settings: Settings,
        *,
        dev: bool = False,
        clock: Clock | None = None,
        before_authenticate: Hook | None = None,
    ) -> None:
        self._settings = settings
        self._dev = dev
        self._clock = clock or SystemClock()
        self._ids = RandomIds(settings.name)
        self._tasks = TaskOwner("server")
        self._keepalive = _keepalive(settings)
        self._store = Store(self._ids, spent_tokens=settings.identity.single_use_tokens)
        self._before_authenticate = BeforeAuthenticate(
            before_authenticate,
            settings.identity.before_authenticate_timeout_s,
            TaskOwner("before_authenticate"),
        )
        self._issuer: DevIssuer | None = None
        self._jwks: Jwks | None = None
        self._runners: list[SiteRunner] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._started = False
        self._ready = False
        self.public = ""
        self.websocket = ""
        """Where players connect, `host:port`; known once started, as is `ops`."""
        self.ops = ""
        self._idle = asyncio.Event()
        self._registry: Registry
        self._upgrade: Upgrade
        if dev:
            _refuse_unsafe_dev(settings)

    async def start(self) -> None:
        """Build and start everything. On an exception you must still `stop`."""
        settings = self._settings
        self._tell_settings()
        keys = SigningKeys.load_or_create(self._key_file(), self._ids)
        await self._store.open(settings.storage.url)
        identity = await self._identity()
        revocations = Revocations(self._clock)
        tokens = Tokens(keys, _lifetimes(settings), revocations, self._clock)
        logins = Logins(identity.issuers, self._store, tokens, revocations, self._clock)
        await logins.start()
        self._jwks = Jwks(
            identity.issuers,
            production=settings.production,
            clock=self._clock,
            ids=self._ids,
            tasks=TaskOwner("jwks"),
            stale_limit_s=identity.jwks_stale_limit_s,
            cache_dir=identity.jwks_cache_dir,
        )
        await self._jwks.start()
        bridge = Bridge(
            identity, self._jwks, self._store, tokens, self._clock, self._ids, self._before_authenticate
        )
        links = Links(bridge, self._store, self._clock, self._ids, limit=identity.identities_per_account)
        addresses = ClientAddresses(settings.listen.trusted_proxies)
        world = self._world(tokens)
        performer, router = self._play(world)
        self._upgrade = Upgrade(
            tokens.check_session,
            self._registry,
            self._keepalive,
            settings.socket,
            self._clock,
            self._ids,
            addresses,
        )
        deps = self._site_deps(bridge, links, logins, tokens, addresses, world.statuses.is_online)
        await self._open_listeners(
            deps,
            readings.sockets(self._registry, self._upgrade, self._keepalive)
            | readings.play(world, performer, router)
            | readings.sign_in(bridge, links, self._before_authenticate)
            | readings.keys(self._jwks),
        )
        self._tick()
        # What exists now stays for good: full collections need not walk it again.
        gc.collect()
        gc.freeze()
        self._started = self._ready = True
        log.info(
            "server_ready",
            public=self.public,
            websocket=self.websocket,
            ops=self.ops,
            issuer=self.issuer,
        )
        if self._issuer is not None:
            sys.stderr.write(_hints(self.public, self.websocket, settings))

    @property
    def issuer(self) -> str | None:
        """The development issuer's URL, while it runs."""
        return None if self._issuer is None else self._issuer.issuer

    async def drain(self, now: asyncio.Event) -> None:
        """Take no one in any more, tell every player, and wait until they are gone or `now` is set."""
        self._ready = False
        self._upgrade.accepting = False
        log.info("server_draining", sockets=len(self._registry))
        self._registry.on_idle = self._idle.set
        self._registry.end_all(CloseReason.RESTARTING)
        if self._registry.leaving:
            waits = [self._tasks.spawn("idle", self._idle.wait()), self._tasks.spawn("now", now.wait())]
            await asyncio.wait(
                waits, timeout=self._settings.socket.close_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        self._registry.abort_all()

    async def stop(self) -> None:
        """Release everything that was started."""
        if self._sweep is not None:
            self._sweep.cancel()
        for runner in reversed(self._runners):
            await runner.cleanup()
        await self._tasks.cancel_all()
        await self._before_authenticate.close()
        if self._jwks is not None:
            await self._jwks.close()
        if self._issuer is not None:
            await self._issuer.stop()
        await self._store.close()
        gc.unfreeze()
        log.info("server_stopped")

    # ---- the parts

    def _key_file(self) -> Path:
        settings = self._settings
        return Path(settings.session.key_file or Path(settings.data_dir) / "session-keys.json")

    async def _identity(self) -> IdentitySettings:
        identity = self._settings.identity
        if self._dev:
            self._issuer = DevIssuer(
                self._settings.dev,
                Path(self._settings.data_dir),
                self._clock,
                self._ids,
                production=self._settings.production,
            )
            await self._issuer.start()
            development = IssuerSettings(
                issuer=self._issuer.issuer,
                jwks_url=self._issuer.jwks_url,
                client_ids=(self._issuer.client_id,),
            )
            identity = identity.model_copy(update={"issuers": (*identity.issuers, development)})
            # A swarm signs in from one address; whoever sets a limit wants it nevertheless.
            unlimited = {name: 0 for name in LOGIN_LIMITS if name not in identity.model_fields_set}
            identity = identity.model_copy(update=unlimited)
        if not identity.issuers:
            log.warning("no_identity_issuer", setting="identity.issuers")
        return identity

    def _world(self, tokens: Tokens) -> World:
        limits = self._settings.socket
        presences = Presences()
        return World(
            presences=presences,
            statuses=Statuses(presences, limits.follows_per_session),
            matches=Matches(presences, limits.matches_per_session),
            users=self._store,
            match_tokens=tokens,
            new_id=self._ids.uuid4,
        )

    def _play(self, world: World) -> tuple[Performer, Router]:
        self._registry = Registry(
            world.statuses,
            world.matches,
            self._clock,
            self._ids.uuid4,
            single_socket=self._settings.session.single_socket,
        )
        router = Router(world, handlers.ROUTES, handlers.NOT_OFFERED)
        performer = Performer(self._registry.by_id, world.presences, router, self._tasks)
        self._registry.serve(performer)
        return performer, router

    def _tell_settings(self) -> None:
        settings = self._settings
        log.info("server_starting", version=__version__, node=settings.name, dev=self._dev)
        for name in settings.default_keys:
            log.warning("default_key_in_use", setting=name)
        for name in settings.without_effect:
            log.warning("setting_without_effect", setting=name)

    def _site_deps(
        self,
        bridge: Bridge,
        links: Links,
        logins: Logins,
        tokens: Tokens,
        addresses: ClientAddresses,
        is_online: Callable[[str], bool],
    ) -> SiteDeps:
        return SiteDeps(
            bridge=bridge,
            logins=logins,
            links=links,
            tokens=tokens,
            store=self._store,
            clock=self._clock,
            ids=self._ids,
            server_key=self._settings.socket.server_key.get_secret_value(),
            upgrade=self._upgrade,
            end_sessions=lambda families: self._registry.end_families(families, CloseReason.LOGGED_OUT),
            is_online=is_online,
            addresses=addresses,
            allowed_origins=self._settings.listen.allowed_origins,
        )

    async def _open_listeners(self, deps: SiteDeps, sources: readings.Readings) -> None:
        settings = self._settings
        ops = build_ops(OpsDeps(lambda: self._started, lambda: self._ready, metrics.registry(sources)))
        self.public = await self._listen(build_site(deps, self._public_routes()), settings.listen.public)
        self.websocket = self.public
        if settings.listen.websocket:
            self.websocket = await self._listen(build_site(deps, SOCKET_ROUTES), settings.listen.websocket)
        self.ops = await self._listen(ops, settings.listen.ops)

    def _public_routes(self) -> tuple[Route | PlayerRoute, ...]:
        if not self._settings.listen.websocket:
            return ROUTES
        return tuple(route for route in ROUTES if route not in SOCKET_ROUTES)

    async def _listen(self, application: web.Application, address: str) -> str:
        runner = SiteRunner(application)
        await runner.setup()
        self._runners.append(runner)
        where = parse_address(address)
        await web.TCPSite(runner, where.host, where.port, backlog=BACKLOG).start()
        host, port = runner.addresses[0][:2]
        return str(parse_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))

    def _tick(self) -> None:
        # Scheduled before the sweep, so that nothing in it can end the sweeping.
        self._sweep = asyncio.get_running_loop().call_later(self._keepalive.interval_s, self._tick)
        self._keepalive.sweep(self._clock.monotonic())


def _keepalive(settings: Settings) -> Keepalive:
    limits = settings.socket
    shortest = min(limits.ping_interval_s, limits.pong_timeout_s, limits.close_timeout_s)
    return Keepalive(
        interval_s=min(1.0, shortest / 4),
        ping_interval_s=limits.ping_interval_s,
        pong_timeout_s=limits.pong_timeout_s,
        close_timeout_s=limits.close_timeout_s,
    )


def _lifetimes(settings: Settings) -> Lifetimes:
    session = settings.session
    return Lifetimes(session.token_ttl_s, session.refresh_idle_s, session.refresh_max_s)


def _refuse_unsafe_dev(settings: Settings) -> None:
    problems = [
        f"--dev refuses a listener that is not loopback: listen.{name}"
        for name in ("public", "websocket", "ops")
        if (address := getattr(settings.listen, name)) and not parse_address(address).is_loopback
    ]
    if settings.production:
        problems.append("--dev and production = true exclude each other")
    if problems:
        raise ConfigError(problems)


def _hints(public: str, sockets: str, settings: Settings) -> str:
    has_own_key = "socket.server_key" not in settings.default_keys
    key = "$LOCKGATE_SOCKET__SERVER_KEY" if has_own_key else "defaultkey"
    return f"""
Lockgate is ready on http://{public} (sockets: ws://{sockets}/ws). Try, in another terminal:

  sign in:  curl -s -u "{key}:" -d "{{\\"id\\":\\"$(.venv/bin/lockgate token --user alice)\\"}}" \\
              http://{public}/v2/account/authenticate/custom
  swarm:    make swarm

Ctrl-C stops it.

"""
