"""Fetches and keeps the key sets of the configured issuers.

One fetch per issuer in flight, awaited behind a shield, never under a lock. Keys past their soft lifetime
are refreshed behind the caller's back; an unknown key id may cause a fetch of its own, from a small budget,
so that a rotated key is found at once and made-up ids cannot hammer the issuer.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

import aiohttp
import structlog

from server.clock import Clock
from server.config import IssuerSettings
from server.identity import strict_json
from server.identity.failures import KeysUnavailable
from server.identity.keyset import PUBLIC_TEST_KEYS, KeySet, KeySetUnusable, VerifyKey
from server.ids import Ids
from server.tasks import TaskOwner

SOFT_LIFE_S = 600.0
STALE_LIMIT_S = 24 * 3600.0
FETCH_TIMEOUT_S = 3.0
MAX_DOCUMENT = 64 * 1024
MAX_WAITERS = 2_000
UNKNOWN_BURST = 2
UNKNOWN_PERIOD_S = 10.0
MAX_BACKOFF_S = 60.0

Fetch = Callable[[], Awaitable[bytes]]

log = structlog.get_logger("lockgate.identity")


class FetchFailed(Exception):
    """The document could not be had, or not in the form that is required."""


class _Bucket:
    """Two at once, then one per period."""

    def __init__(self, now: float) -> None:
        self._tokens = float(UNKNOWN_BURST)
        self._at = now

    def take(self, now: float) -> bool:
        self._tokens = min(UNKNOWN_BURST, self._tokens + (now - self._at) / UNKNOWN_PERIOD_S)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class JwksCache:
    """The keys of one issuer. `fetches` and `failures` count what was asked of it."""

    def __init__(
        self, issuer: str, fetch: Fetch, *, denied: frozenset[str], clock: Clock, ids: Ids, tasks: TaskOwner
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._denied = denied
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._keys = KeySet()
        self._loaded_at = 0.0
        self._soft_until = 0.0
        self._retry_at = 0.0
        self._failed_in_row = 0
        self._waiters = 0
        self._fetching: asyncio.Task[bool] | None = None
        self._bucket = _Bucket(clock.monotonic())
        self.fetches = 0
        self.failures = 0

    async def key(self, kid: str) -> VerifyKey | None:
        """The key with this id, or None when the issuer has none. Raises `KeysUnavailable`."""
        now = self._clock.monotonic()
        begun = self.fetches
        if self._keys and now > self._loaded_at + STALE_LIMIT_S:
            self._keys = KeySet()
        if not self._keys:
            await self._join(self.refresh())
        elif now > self._soft_until:
            self.refresh()
        if (key := self._keys.get(kid)) is None and self._fetching is not None:
            await self._join(self._fetching)
            key = self._keys.get(kid)
        # Only a fetch that began after the question is an answer: the key may be that new.
        if key is None and self.fetches == begun:
            await self._look_for_unknown()
            key = self._keys.get(kid)
        return key

    def refresh(self) -> asyncio.Task[bool] | None:
        """Start a fetch, or return the one in flight. None while backing off from a failure."""
        if self._fetching is None and self._clock.monotonic() >= self._retry_at:
            self._fetching = self._tasks.spawn("fetch", self._load())
        return self._fetching

    async def _look_for_unknown(self) -> None:
        if self._fetching is not None:
            await self._join(self._fetching)
        elif self._clock.monotonic() < self._retry_at:
            raise self._unavailable()  # it may be a new key that we could not learn of
        elif self._bucket.take(self._clock.monotonic()):
            await self._join(self.refresh())

    async def _join(self, fetch: asyncio.Task[bool] | None) -> None:
        if fetch is None or self._waiters >= MAX_WAITERS:
            raise self._unavailable()
        self._waiters += 1
        try:
            loaded = await asyncio.shield(fetch)
        finally:
            self._waiters -= 1
        if not loaded:
            raise self._unavailable()

    def _unavailable(self) -> KeysUnavailable:
        return KeysUnavailable(max(1, round(self._retry_at - self._clock.monotonic())))

    async def _load(self) -> bool:
        self.fetches += 1
        try:
            self._keys = KeySet.load(await self._fetch(), denied=self._denied)
        except (FetchFailed, KeySetUnusable) as error:
            self.failures += 1
            self._back_off()
            log.warning("jwks_fetch_failed", issuer=self._issuer, error=str(error))
            return False
        finally:
            self._fetching = None
        self._failed_in_row = 0
        self._retry_at = 0.0
        self._loaded_at = self._clock.monotonic()
        self._soft_until = self._loaded_at + SOFT_LIFE_S * (0.9 + 0.2 * self._ids.jitter())
        log.info("jwks_loaded", issuer=self._issuer, keys=len(self._keys))
        return True

    def _back_off(self) -> None:
        delay = min(MAX_BACKOFF_S, 2.0**self._failed_in_row)
        self._failed_in_row = min(self._failed_in_row + 1, 10)
        self._retry_at = self._clock.monotonic() + delay * (0.75 + 0.5 * self._ids.jitter())


class Source:
    """Where an issuer's keys are: a configured URL, or what OpenID discovery names."""

    def __init__(self, settings: IssuerSettings, *, production: bool) -> None:
        self._issuer = settings.issuer
        self._configured = settings.jwks_url
        self._production = production
        self._found = ""
        check_url(settings.jwks_url or settings.issuer, production=production)

    async def fetch(self, session: aiohttp.ClientSession) -> bytes:
        """The key set document. Raises `FetchFailed`, after three seconds at the latest."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                url = self._configured or self._found or await self._discover(session)
                document = await self._get(session, url)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._found = ""
            raise FetchFailed(type(error).__name__) from error
        except FetchFailed:
            self._found = ""
            raise
        self._found = url
        if document is None:
            self._found = ""
            raise FetchFailed("status 404")
        return document

    async def _discover(self, session: aiohttp.ClientSession) -> str:
        root = self._issuer.rstrip("/")
        document = await self._get(session, f"{root}/.well-known/openid-configuration")
        if document is None:
            return f"{root}/.well-known/jwks.json"
        configuration = strict_json.load_object(document)
        url = configuration.get("jwks_uri")
        if configuration.get("issuer") != self._issuer or not isinstance(url, str):
            raise FetchFailed("discovery names another issuer or no keys")
        check_url(url, production=self._production)
        return url

    async def _get(self, session: aiohttp.ClientSession, url: str) -> bytes | None:
        """The body, or None for a 404. No redirects, no compression, 64 KiB at most."""
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with session.get(url, allow_redirects=False, headers=headers) as response:
            if response.status == 404:
                return None
            if response.status != 200:
                raise FetchFailed(f"status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(8192):
                body += chunk
                if len(body) > MAX_DOCUMENT:
                    raise FetchFailed("document too large")
            return bytes(body)


class Jwks:
    """The key caches of all configured issuers and the HTTP client they share.

    You must `start` it before use and `close` it at the end. Raises ValueError for a URL that is not allowed.
    """

    def __init__(
        self, issuers: Sequence[IssuerSettings], *, production: bool, clock: Clock, ids: Ids, tasks: TaskOwner
    ) -> None:
        self._tasks = tasks
        self._session: aiohttp.ClientSession | None = None
        self.caches: dict[str, JwksCache] = {}
        for settings in issuers:
            source = Source(settings, production=production)
            denied = denied_keys(settings, production=production)
            self.caches[settings.issuer] = JwksCache(
                settings.issuer, self._fetcher(source), denied=denied, clock=clock, ids=ids, tasks=tasks
            )

    async def start(self) -> None:
        """Open the client and begin to fetch every issuer's keys; does not wait for them."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        for cache in self.caches.values():
            cache.refresh()

    async def key(self, issuer: str, kid: str) -> VerifyKey | None:
        """The key of a configured issuer, None when it has none of this id. Raises `KeysUnavailable`."""
        return await self.caches[issuer].key(kid)

    async def close(self) -> None:
        await self._tasks.cancel_all()
        if self._session is not None:
            await self._session.close()

    def _fetcher(self, source: Source) -> Fetch:
        async def fetch() -> bytes:
            if self._session is None:
                raise AssertionError("Jwks was not started")
            return await source.fetch(self._session)

        return fetch


def denied_keys(settings: IssuerSettings, *, production: bool) -> frozenset[str]:
    """Thumbprints that may not sign: keys that anyone can sign with serve tests on this machine only."""
    where = urlsplit(settings.jwks_url or settings.issuer).hostname or ""
    return frozenset() if not production and _is_loopback(where) else PUBLIC_TEST_KEYS


def check_url(url: str, *, production: bool) -> None:
    """https anywhere; http for a loopback address outside production. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and not production and _is_loopback(parts.hostname or ""):
        return
    raise ValueError("an issuer's keys are fetched over https, or over http from loopback outside production")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
