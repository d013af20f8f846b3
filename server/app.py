"""The composition root: builds everything in order, starts it, and stops it roughly in reverse."""

import asyncio
import signal
import sys
from collections.abc import Mapping

import structlog

from protocol.close import CloseReason
from protocol.messages import UserPresence
from server import __version__, development, handlers, readings
from server.clock import Clock, SystemClock
from server.collector import Collector
from server.config import AdmissionSettings, ConfigError, MatchmakerSettings, Settings
from server.core.channel_id import readable
from server.core.function import Function
from server.core.live_match import LiveMembers
from server.core.match import Matches
from server.core.matchmaker import Limits, Matchmaker
from server.core.party import Parties, PartyLimits
from server.core.presence import Presences
from server.core.status import Statuses
from server.core.stream import Streams
from server.eviction import Eviction
from server.game.host import GameHost
from server.game.reload import Reloader
from server.game.shelf import DatabaseShelf
from server.game.stored import GameStorage
from server.gate import Gate
from server.identity.before_authenticate import Hook
from server.identity.signingkeys import KeyFileError
from server.ids import RandomIds
from server.live_logins import SocketLogins
from server.matchmaking import Matchmaking
from server.message_limits import CLASSES, MessageLimits
from server.observe import logs, metrics
from server.observe.loop_health import LoopHealth
from server.perform import Performer
from server.router import Router
from server.runtime.game import Game, GameError
from server.runtime.loader import load
from server.sessions.expiry import Expiry, SocketExpiry
from server.sessions.registry import Registry
from server.storage.failures import StorageUnavailable
from server.talk.talk import Talk
from server.tasks import TaskOwner
from server.transport.round_trips import RoundTrips
from server.web.address import ClientAddresses
from server.web.browsers import Browsers
from server.web.listener import Listeners
from server.web.ops import OpsDeps, build_ops
from server.web.site import build_site
from server.web.sockets import Sockets
from server.web.table import ROUTES, SiteDeps
from server.web.upgrade import Upgrade
from server.world import LiveMatches, World

log = structlog.get_logger("lockgate.app")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
ADDRESS_LIMITS = tuple(name for name in AdmissionSettings.model_fields if name.endswith("_per_address"))
SOCKET_RATES = ("messages_per_s", "bytes_per_s", *CLASSES)
"""Settings of `admission` and of `socket` that are no limit while developing."""
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
    try:
        server = Server(settings, dev=dev)
    except GameError as error:
        raise ConfigError(list(error.problems)) from error
    try:
        await server.start()
        server.collector.start(asyncio.get_running_loop().call_later)
        await draining.wait()
        await server.drain(now)
    except (OSError, ValueError, KeyFileError, StorageUnavailable) as error:
        raise ConfigError([f"cannot start: {error}"]) from error
    finally:
        server.collector.stop()
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
        functions: Mapping[str, Function] | None = None,
        live_matches: LiveMatches | None = None,
    ) -> None:
        self._settings = settings
        self._dev = dev
        self._clock = clock or SystemClock()
        self._ids = RandomIds(settings.name)
        self._tasks = TaskOwner("server")
        self.health = LoopHealth(self._clock.monotonic, settings.log.slow_callback_ms / 1000)
        limits = development.unlimited(settings.socket, SOCKET_RATES) if dev else settings.socket
        round_trips = RoundTrips(self._clock.monotonic, lambda: self.health.lag.on_time)
        self._sockets = Sockets(limits, self._clock, round_trips)
        self._message_limits = MessageLimits(
            limits.model_dump(include=set(CLASSES)), now=self._clock.monotonic
        )
        game = load(settings.runtime.modules)
        self._before_authenticate = before_authenticate
        self._gate = Gate(
            settings,
            self._clock,
            self._ids,
            dev=dev,
            before_authenticate=before_authenticate or game.before_authenticate,
        )
        shelf = DatabaseShelf(self._gate.store.matches, settings.name)
        storage = GameStorage(self._gate.store.objects, self._clock.wall)
        self.game = GameHost(game, settings, self._clock, self._ids, shelf, storage, functions)
        self.game.watchdog.onlooker = self.health.onlooker
        self.collector = Collector(self._clock, lambda: self.game.scheduler.next_due)
        self._live_matches = live_matches or self.game.matches
        admission = development.unlimited(settings.admission, ADDRESS_LIMITS) if dev else settings.admission
        self._listeners = Listeners(settings.listen, admission, self._clock)
        self._rounds: asyncio.Task[None] | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._started = False
        self._ready = False
        self.public = ""
        self.websocket = ""
        """Where players connect, `host:port`; known once started, as is `ops`."""
        self.ops = ""
        self._idle = asyncio.Event()
        self._expiry = Expiry(
            SocketExpiry(settings.session.socket_expiry),
            self._gate.store.families,
            self._clock,
            self._ids.uuid4,
            self._tasks,
        )
        self.world: World
        self.performer: Performer
        """What a game works on, and what carries out the effects; known once started."""
        self._registry: Registry
        self._talk: Talk
        self._upgrade: Upgrade
        self.matchmaking: Matchmaking
        if dev:
            development.refuse_unsafe(settings)

    async def start(self) -> None:
        """Build and start everything. On an exception you must still `stop`."""
        settings = self._settings
        self._tell_settings()
        gate = self._gate
        await gate.start()
        entrance = self._listeners.entrance
        world = self.world = self._world()
        performer, router = self._play(world)
        self.performer = performer
        await self.game.restore()
        eviction = Eviction(
            self._registry,
            gate.logins.end,
            self._tasks,
            logout_closes_sockets=settings.session.logout_closes_sockets,
        )
        gate.revocations.on_ended = eviction
        gate.feed.on_socket_named = eviction.end_login_of
        browsers = Browsers.serve(
            settings.session, settings.listen.allowed_origins, gate.tokens, self._clock, self._ids
        )
        self._upgrade = Upgrade(
            browsers.callers,
            self._registry,
            self._sockets,
            self._ids,
            entrance,
        )
        deps = self._site_deps(entrance.addresses, browsers, world)
        await self._open_listeners(
            deps,
            readings.sockets(self._registry, self._upgrade, self._sockets, self._expiry)
            | readings.slow_receivers(self._sockets.slow)
            | readings.admission(self._listeners)
            | readings.play(world, performer, router, self._message_limits)
            | readings.matchmaker(world.matchmaker, self.matchmaking)
            | readings.game(self.game)
            | readings.loop(self.health, self.collector)
            | readings.talk(self._talk)
            | readings.sign_in(gate.bridge, gate.links, gate.before_authenticate)
            | readings.logins(gate.logins, gate.revocations, gate.feed, eviction)
            | readings.browsers(browsers)
            | readings.objects(gate.store.objects)
            | readings.storage(gate.store.database)
            | readings.keys(gate.jwks)
            | readings.signing_keys(gate.keys),
        )
        if self._dev and settings.runtime.modules:
            Reloader(settings.runtime.modules, self._take, self._tasks).start()
        self._tick()
        self.health.start(asyncio.get_running_loop())
        self._rounds = self._tasks.spawn("matchmaker", self.matchmaking.run())
        self._started = self._ready = True
        log.info(
            "server_ready",
            public=self.public,
            websocket=self.websocket,
            ops=self.ops,
            tls=bool(self._listeners.secure),
            issuer=self.issuer,
        )
        if self.issuer is not None:
            sys.stderr.write(development.hints(self.public, self.websocket, settings))

    @property
    def issuer(self) -> str | None:
        """The development issuer's URL, while it runs."""
        return self._gate.issuer

    async def drain(self, now: asyncio.Event) -> None:
        """Take no one in any more, tell every player, and wait until they are gone or `now` is set."""
        self._ready = False
        self._upgrade.accepting = False
        log.info("server_draining", sockets=len(self._registry))
        await self.game.drain(now)
        more = True
        while more:
            more = self._registry.end_some(CloseReason.RESTARTING)
            await asyncio.sleep(0)
        self._registry.on_idle = self._idle.set
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
        self.health.stop()
        await self._listeners.close()
        await self.game.close()
        await self._tasks.cancel_all()
        await self._gate.stop()
        log.info("server_stopped")

    # ---- the parts

    def _take(self, game: Game) -> None:
        """Go on with changed code of the game."""
        self.game.replace(game)
        self._gate.before_authenticate.replace(self._before_authenticate or game.before_authenticate)

    def _world(self) -> World:
        gate, limits = self._gate, self._settings.socket
        presences = Presences()
        statuses = Statuses(presences, limits.follows_per_session)
        matches = Matches(presences, limits.matches_per_session)
        matchmaker = _matchmaker(self._settings.matchmaker)
        parties = Parties(
            presences,
            matchmaker,
            self._settings.name,
            PartyLimits(limits.parties_per_session, self._settings.session.single_party),
        )
        live_members = LiveMembers(presences, limits.matches_per_session, self._live_matches.left)
        streams = Streams(presences, self._presence_of, limits.streams_per_session)
        self._talk = Talk(
            self._settings, gate.store, presences, statuses, self._tasks, self._clock, self._ids.uuid4
        )
        self._registry = Registry(
            statuses,
            (parties, matches, live_members, self._talk.channels, matchmaker, streams),
            self._clock,
            self._ids.uuid4,
            self._expiry,
            single_socket=self._settings.session.single_socket,
            resume_s=limits.resume_s,
        )
        return World(
            presences=presences,
            statuses=statuses,
            matches=matches,
            matchmaker=matchmaker,
            parties=parties,
            live_members=live_members,
            live_matches=self._live_matches,
            single_match=self._settings.session.single_match,
            streams=streams,
            channels=self._talk.channels,
            chat=self._talk.chat,
            notifier=self._talk.notifier,
            users=gate.store,
            match_tokens=gate.tokens,
            live_logins=SocketLogins(self._registry.by_id, self._expiry, gate.tokens, gate.logins),
            functions=self.game.calls,
            connected=self._registry.by_id,
            new_id=self._ids.uuid4,
            now=self._clock.wall,
        )

    def _presence_of(self, session_id: str) -> UserPresence | None:
        session = self._registry.by_id.get(session_id)
        return None if session is None else session.presence

    def _play(self, world: World) -> tuple[Performer, Router]:
        router = Router(world, handlers.ROUTES, self.game.hooks, self._message_limits)
        performer = Performer(self._registry.by_id, world.presences, router, self._tasks)
        self._registry.serve(performer)
        self.matchmaking = Matchmaking(
            world.matchmaker,
            self._clock,
            performer.perform,
            self._gate.tokens.mint_match_token,
            self._ids.uuid4,
            interval_s=self._settings.matchmaker.interval_s,
            on_matched=self.game.hooks.matched,
        )
        self._talk.serve(performer.perform)
        self.game.serve(world, performer.perform)
        self._registry.on_opened, self._registry.on_ended = self.game.hooks.opened, self.game.hooks.ended
        return performer, router

    def _tell_settings(self) -> None:
        settings = self._settings
        log.info("server_starting", version=__version__, node=settings.name, dev=self._dev)
        for name in settings.default_keys:
            log.warning("default_key_in_use", setting=name)

    def _site_deps(self, addresses: ClientAddresses, browsers: Browsers, world: World) -> SiteDeps:
        gate = self._gate
        return SiteDeps(
            bridge=gate.bridge,
            logins=gate.logins,
            links=gate.links,
            tokens=gate.tokens,
            store=gate.store,
            clock=self._clock,
            ids=self._ids,
            server_key=self._settings.socket.server_key.get_secret_value(),
            http_key=self._settings.runtime.http_key.get_secret_value(),
            functions=world.functions,
            live_matches=world.live_matches,
            relayed=world.matches,
            upgrade=self._upgrade,
            browsers=browsers,
            is_online=world.statuses.is_online,
            list_parties=world.parties.listing,
            readable=readable,
            addresses=addresses,
            allowed_origins=self._settings.listen.allowed_origins,
        )

    async def _open_listeners(self, deps: SiteDeps, sources: readings.Readings) -> None:
        listen, listeners = self._settings.listen, self._listeners
        ops = build_ops(OpsDeps(lambda: self._started, lambda: self._ready, metrics.registry(sources)))
        sockets_apart = tuple(route for route in ROUTES if route not in SOCKET_ROUTES)
        routes = sockets_apart if listen.websocket else ROUTES
        listeners.start()
        self.public = await listeners.open_public(build_site(deps, routes), listen.public)
        self.websocket = self.public
        if listen.websocket:
            self.websocket = await listeners.open_public(build_site(deps, SOCKET_ROUTES), listen.websocket)
        self.ops = await listeners.open(ops, listen.ops)

    def _tick(self) -> None:
        # Scheduled before the sweep, so that nothing in it can end the sweeping.
        self._sweep = asyncio.get_running_loop().call_later(self._sockets.interval_s, self._tick)
        self._sockets.sweep()
        self._registry.sweep()
        self._expiry.sweep()


def _matchmaker(settings: MatchmakerSettings) -> Matchmaker:
    return Matchmaker(
        Limits(
            max_tickets=settings.max_tickets,
            max_intervals=settings.max_intervals,
            rev_precision=settings.rev_precision,
            pool=settings.max_pool,
        )
    )
