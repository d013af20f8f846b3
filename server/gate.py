"""Both gates, built and started in order: from an identity token to a session, and until that ends.

A part of the composition root (`app.py`) that needs no sockets and no listeners.
"""

from pathlib import Path

import structlog

from server.clock import Clock
from server.config import Settings
from server.development import unlimited
from server.identity.before_authenticate import BeforeAuthenticate, Hook
from server.identity.bridge import Bridge
from server.identity.devissuer import DevIssuer
from server.identity.jwks import Jwks
from server.identity.key_watch import KeyWatch
from server.identity.links import Links
from server.identity.logins import Logins
from server.identity.revocation import Revocations
from server.identity.revocation_feed import RevocationFeed
from server.identity.tokens import Lifetimes, Tokens
from server.ids import Ids
from server.sections import IdentitySettings, IssuerSettings, SessionSettings
from server.storage.store import Store
from server.tasks import TaskOwner

LOGIN_LIMITS = ("logins_per_minute_per_address", "logins_per_minute_per_subject")
REFRESH_LIMITS = ("refreshes_per_minute_per_address",)

log = structlog.get_logger("lockgate.app")


class Gate:
    """`start` it before anything else is read from it, and `stop` it, also after a start that failed."""

    def __init__(
        self, settings: Settings, clock: Clock, ids: Ids, *, dev: bool, before_authenticate: Hook | None
    ) -> None:
        self._settings = settings
        self._dev = dev
        self._clock = clock
        self._ids = ids
        self._tasks = TaskOwner("identity")
        self._issuer: DevIssuer | None = None
        self._jwks: Jwks | None = None
        self._keys: KeyWatch | None = None
        self._feed: RevocationFeed | None = None
        self.store = Store(ids, spent_tokens=settings.identity.single_use_tokens, objects=settings.objects)
        self.before_authenticate = BeforeAuthenticate(
            before_authenticate,
            settings.identity.before_authenticate_timeout_s,
            TaskOwner("before_authenticate"),
        )
        self.revocations = Revocations(clock)
        self.tokens: Tokens
        self.logins: Logins
        self.bridge: Bridge
        self.links: Links

    async def start(self) -> None:
        """Keys, database, what runs beside. Raises `KeyFileError`, ValueError and OSError."""
        settings = self._settings
        self._keys = KeyWatch.open(settings, self._clock, self._ids)
        storage = settings.storage
        await self.store.open(
            storage.url.get_secret_value(), pool_size=storage.pool_size, timeout_s=storage.timeout_s
        )
        self._feed = RevocationFeed(self.store, self.revocations, self._clock, TaskOwner("revocations"))
        await self._feed.start()
        self.tokens = Tokens(self.keys.keys, _lifetimes(settings.session), self.revocations, self._clock)
        self.keys.start(self.tokens)
        identity = await self._identity()
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
        self._build(identity, self._jwks)

    async def stop(self) -> None:
        await self._tasks.cancel_all()
        await self.before_authenticate.close()
        if self._keys is not None:
            await self._keys.close()
        if self._feed is not None:
            await self._feed.close()
        if self._jwks is not None:
            await self._jwks.close()
        if self._issuer is not None:
            await self._issuer.stop()
        await self.store.close()

    @property
    def issuer(self) -> str | None:
        """The development issuer's URL, while it runs."""
        return None if self._issuer is None else self._issuer.issuer

    @property
    def jwks(self) -> Jwks:
        assert self._jwks is not None, "not started"
        return self._jwks

    @property
    def keys(self) -> KeyWatch:
        assert self._keys is not None, "not started"
        return self._keys

    @property
    def feed(self) -> RevocationFeed:
        assert self._feed is not None, "not started"
        return self._feed

    def _build(self, identity: IdentitySettings, jwks: Jwks) -> None:
        session = self._settings.session
        self.logins = Logins(
            identity.issuers,
            unlimited(session, REFRESH_LIMITS) if self._dev else session,
            self.store,
            self.tokens,
            self.revocations,
            self._clock,
            self._tasks,
        )
        self.bridge = Bridge(
            identity,
            jwks,
            self.store,
            self.tokens,
            self.revocations,
            self._clock,
            self._ids,
            self.before_authenticate,
            families=1 if session.single_session else session.families_per_account,
        )
        self.links = Links(
            self.bridge,
            self.store,
            self.revocations,
            self._clock,
            self._ids,
            limit=identity.identities_per_account,
        )

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
            identity = unlimited(identity, LOGIN_LIMITS)
            identity = identity.model_copy(update={"issuers": (*identity.issuers, development)})
        if not identity.issuers:
            log.warning("no_identity_issuer", setting="identity.issuers")
        return identity


def _lifetimes(session: SessionSettings) -> Lifetimes:
    return Lifetimes(session.token_ttl_s, session.refresh_idle_s, session.refresh_max_s)
