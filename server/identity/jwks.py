"""Fetches the key sets of the configured issuers over HTTP, and holds the cache of each.

Whatever a key server answers ends within three seconds and 64 KiB, as a document or as a failed fetch.
"""

import asyncio
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from server.clock import Clock
from server.identity import strict_json
from server.identity.jwks_cache import STALE_LIMIT_S, Document, Fetch, FetchFailed, JwksCache, Rules
from server.identity.jwks_file import JwksFile
from server.identity.keyset import PUBLIC_TEST_KEYS, VerifyKey
from server.ids import Ids
from server.sections import IssuerSettings
from server.tasks import TaskOwner

FETCH_TIMEOUT_S = 3.0
MAX_DOCUMENT = 64 * 1024
CHECK_INTERVAL_S = 1.0
"""How often keys are looked at for being due, so that they are fresh without any login."""


class Source:
    """Where an issuer's keys are: a configured URL, or what OpenID discovery names."""

    def __init__(self, settings: IssuerSettings, *, production: bool) -> None:
        self._issuer = settings.issuer
        self._configured = settings.jwks_url
        self._production = production
        self._found = ""
        check_url(settings.jwks_url or settings.issuer, production=production)

    async def fetch(self, session: aiohttp.ClientSession) -> Document:
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
        # The host of the issuer was looked at before; discovery may have named another.
        return replace(document, denied=denied_at(url, production=self._production))

    async def _discover(self, session: aiohttp.ClientSession) -> str:
        root = self._issuer.rstrip("/")
        document = await self._get(session, f"{root}/.well-known/openid-configuration")
        if document is None:
            return f"{root}/.well-known/jwks.json"
        configuration = strict_json.load_object(document.body)
        url = configuration.get("jwks_uri")
        if configuration.get("issuer") != self._issuer or not isinstance(url, str):
            raise FetchFailed("discovery names another issuer or no keys")
        check_url(url, production=self._production)
        return url

    async def _get(self, session: aiohttp.ClientSession, url: str) -> Document | None:
        """The answer, or None for a 404. No redirects, no compression, 64 KiB at most."""
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
            return Document(bytes(body), max_age_s(response.headers.getall("Cache-Control", [])))


class Jwks:
    """The key caches of all configured issuers and the HTTP client they share.

    You must `start` it before use and `close` it at the end. Raises ValueError for a URL that is not allowed.
    """

    def __init__(
        self,
        issuers: Sequence[IssuerSettings],
        *,
        production: bool,
        clock: Clock,
        ids: Ids,
        tasks: TaskOwner,
        stale_limit_s: float = STALE_LIMIT_S,
        cache_dir: str = "",
    ) -> None:
        self._tasks = tasks
        self._session: aiohttp.ClientSession | None = None
        self._check: asyncio.TimerHandle | None = None
        self.caches: dict[str, JwksCache] = {}
        for settings in issuers:
            name = settings.issuer
            source = Source(settings, production=production)
            rules = Rules(denied_keys(settings, production=production), stale_limit_s)
            self.caches[name] = JwksCache(
                name,
                self._fetcher(source),
                rules=rules,
                clock=clock,
                ids=ids,
                tasks=tasks,
                file=JwksFile(Path(cache_dir), name, settings.jwks_url) if cache_dir else None,
            )

    async def start(self) -> None:
        """Open the client and begin to fetch every issuer's keys; waits for those on disk only."""
        self._session = aiohttp.ClientSession(
            # Fetches are minutes apart: a kept connection would be dead by then, or be kept for nothing.
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            middlewares=(_ask_once,),
        )
        for cache in self.caches.values():
            await cache.restore()
        self._refresh_those_due()

    async def key(self, issuer: str, kid: str) -> VerifyKey | None:
        """The key of a configured issuer, None when it has none of this id. Raises `KeysUnavailable`."""
        return await self.caches[issuer].key(kid)

    def read(self, value: Callable[[JwksCache], float | None]) -> dict[str, float]:
        """One number per issuer that has it, for metrics."""
        readings = ((issuer, value(cache)) for issuer, cache in self.caches.items())
        return {issuer: reading for issuer, reading in readings if reading is not None}

    async def close(self) -> None:
        if self._check is not None:
            self._check.cancel()
        await self._tasks.cancel_all()
        if self._session is not None:
            await self._session.close()

    def _refresh_those_due(self) -> None:
        # Scheduled first, so that nothing below can end the checking.
        self._check = asyncio.get_running_loop().call_later(CHECK_INTERVAL_S, self._refresh_those_due)
        for cache in self.caches.values():
            cache.refresh_if_due()

    def _fetcher(self, source: Source) -> Fetch:
        async def fetch() -> Document:
            if self._session is None:
                raise AssertionError("Jwks was not started")
            return await source.fetch(self._session)

        return fetch


def denied_keys(settings: IssuerSettings, *, production: bool) -> frozenset[str]:
    """Thumbprints that may not sign: keys that anyone can sign with serve tests on this machine only."""
    return denied_at(settings.jwks_url or settings.issuer, production=production)


def denied_at(url: str, *, production: bool) -> frozenset[str]:
    """The same for a key set from this URL."""
    host = urlsplit(url).hostname or ""
    return frozenset() if not production and _is_loopback(host) else PUBLIC_TEST_KEYS


async def _ask_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Ends a request whose connection was lost: the client would send it again, past our back-off."""
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        raise FetchFailed(type(error).__name__) from error


def max_age_s(headers: Sequence[str]) -> float | None:
    """The shortest `max-age` of Cache-Control headers (RFC 9111 5.2.2.1); None without a valid one."""
    ages = []
    for directive in ",".join(headers).split(","):
        found = re.fullmatch(r'max-age=("?)([0-9]{1,9})\1', directive.strip(), re.IGNORECASE)
        if found is not None:
            ages.append(float(found[2]))
    return min(ages, default=None)


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
