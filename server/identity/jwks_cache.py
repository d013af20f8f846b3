"""Keeps the key set of one issuer: known keys at once, one fetch in flight, no way to make it hammer.

Keys past their soft lifetime are refreshed behind the caller's back and served on through an outage, up to
the stale limit. Knows nothing of HTTP: it is given a function that fetches, and maybe a file to start from.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from server.clock import Clock
from server.identity.failures import KeysUnavailable
from server.identity.jwks_file import FileUnusable, JwksFile, SavedSet
from server.identity.keyset import KeySet, KeySetUnusable, VerifyKey
from server.identity.unknown_keys import UnknownKeys
from server.identity.waiters import TooManyWaiters, Waiters
from server.ids import Ids
from server.tasks import TaskOwner

SOFT_LIFE_S = 600.0
MIN_LIFE_S = 60.0
STALE_LIMIT_S = 24 * 3600.0
MAX_WAITERS = 2_000
WAIT_LIMIT_S = 4.0
"""Longer than one fetch may take. Waiting for the end of one and for another, a caller may wait twice."""
MAX_BACKOFF_S = 60.0

log = structlog.get_logger("lockgate.identity")


class FetchFailed(Exception):
    """The document could not be had, or not in the form that is required."""


@dataclass(frozen=True, slots=True)
class Document:
    """A key set as the issuer sent it, and for how long its answer may be reused by its own word.

    `denied` are keys that a set from its place may not hold, beside those of the rules.
    """

    body: bytes
    max_age_s: float | None = None
    denied: frozenset[str] = frozenset()


Fetch = Callable[[], Awaitable[Document]]


@dataclass(frozen=True, slots=True)
class Rules:
    """Which keys may never verify, and how long a set is believed without being confirmed."""

    denied: frozenset[str] = frozenset()
    stale_limit_s: float = STALE_LIMIT_S


@dataclass(slots=True)
class Counts:
    """What happened since the start."""

    fetches: int = 0
    failures: int = 0
    stale_serves: int = 0
    unknown: int = 0
    """Questions for a key that the issuer does not have, or may not be asked for now."""
    remembered: int = 0
    """Of these, answered from memory."""
    not_asked: int = 0
    """Of these, answered without asking because the budget was empty."""
    turned_away: int = 0
    """Callers who could not wait for a fetch, or not long enough."""


class JwksCache:
    """The keys of one issuer. All times are the clock's; a set is swapped in one step."""

    def __init__(
        self,
        issuer: str,
        fetch: Fetch,
        *,
        rules: Rules,
        clock: Clock,
        ids: Ids,
        tasks: TaskOwner,
        file: JwksFile | None = None,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._tasks = tasks
        self._file = file
        self._keys = KeySet()
        self._loaded_at = 0.0
        self._soft_until = 0.0
        self._retry_at = 0.0
        self._failed_in_row = 0
        self._stale_told = False
        self._loaded_by = 0  # the number of the fetch that brought the keys
        self._fetching: asyncio.Task[bool] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._waiters = Waiters(MAX_WAITERS)
        self._unknown = UnknownKeys(clock.monotonic())
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def age_s(self) -> float | None:
        """Since when the keys are unconfirmed; None without keys."""
        return self._clock.monotonic() - self._loaded_at if self._keys else None

    async def key(self, kid: str) -> VerifyKey | None:
        """The key with this id, or None when the issuer has none. Raises `KeysUnavailable`."""
        self.refresh_if_due()
        now = self._clock.monotonic()
        if (key := self._keys.get(kid)) is not None:
            if self._failed_in_row and now > self._soft_until:
                self._serve_stale(now)
            return key
        if self._keys and self._unknown.remembers(kid, now):
            self.counts.unknown += 1
            self.counts.remembered += 1
            return None
        return await self._look_up(kid)

    def refresh_if_due(self) -> None:
        """Drop keys that are too old; start a fetch when the soft lifetime is over, or there are no keys."""
        now = self._clock.monotonic()
        if self._keys and now > self._loaded_at + self._rules.stale_limit_s:
            log.error("jwks_expired", issuer=self._issuer)
            self._keys = KeySet()
        if not self._keys or now > self._soft_until:
            self.refresh()

    def refresh(self) -> bool:
        """Start a fetch unless one is in flight. False while backing off from a failure."""
        if self._fetching is None:
            if self._clock.monotonic() < self._retry_at:
                return False
            self._fetching = self._tasks.spawn("fetch", self._load())
            self._fetching.add_done_callback(self._fetched)
        return True

    async def restore(self) -> None:
        """Start from the set on disk, if there is a good one. Call before the first fetch."""
        if self._file is None:
            return
        now = self._clock.wall()
        try:
            saved = await asyncio.to_thread(self._file.read, now, self._rules.stale_limit_s)
            if saved is None:
                return
            keys = KeySet.load(saved.document, denied=self._rules.denied)
        except (FileUnusable, KeySetUnusable) as error:
            log.warning("jwks_file_ignored", issuer=self._issuer, error=str(error))
            return
        self._keys = keys
        self._loaded_at = self._clock.monotonic() - max(0.0, now - saved.fetched_at)
        log.info("jwks_restored", issuer=self._issuer, keys=len(keys), age_s=round(now - saved.fetched_at))

    # ---- keys that we do not have

    async def _look_up(self, kid: str) -> VerifyKey | None:
        begun = self.counts.fetches
        if not self._keys or self._fetching is not None:
            await self._join()
        key = self._keys.get(kid)
        # Only a fetch that began after the question is an answer: the key may be that new.
        if key is None and self._loaded_by <= begun:
            if self._fetching is None and not self._may_ask():
                self.counts.unknown += 1
                self.counts.not_asked += 1
                return None
            await self._join()
            key = self._keys.get(kid)
        if key is None:
            self.counts.unknown += 1
            self._unknown.remember(kid, self._clock.monotonic())
        return key

    def _may_ask(self) -> bool:
        """Whether a fetch may be made for one unknown id. Raises `KeysUnavailable` while backing off."""
        now = self._clock.monotonic()
        if now < self._retry_at:
            raise self._unavailable()  # it may be a new key that we could not learn of
        if self._unknown.may_ask(now):
            return True
        if self._unknown.is_flood_news(now):
            log.warning("unknown_key_flood", issuer=self._issuer)
        return False

    async def _join(self) -> None:
        """Wait for the end of a fetch that loads keys. Raises `KeysUnavailable`."""
        if not self.refresh():
            raise self._unavailable()
        try:
            loaded = await self._waiters.wait(WAIT_LIMIT_S)
        except (TooManyWaiters, TimeoutError):
            self.counts.turned_away += 1
            raise self._unavailable() from None
        if not loaded:
            raise self._unavailable()

    def _unavailable(self) -> KeysUnavailable:
        return KeysUnavailable(max(1, round(self._retry_at - self._clock.monotonic())))

    def _serve_stale(self, now: float) -> None:
        self.counts.stale_serves += 1
        if not self._stale_told:
            self._stale_told = True
            log.warning("jwks_stale_served", issuer=self._issuer, age_s=round(now - self._loaded_at))

    # ---- fetching

    async def _load(self) -> bool:
        self.counts.fetches += 1
        number = self.counts.fetches
        try:
            document = await self._fetch()
            keys = KeySet.load(document.body, denied=self._rules.denied | document.denied)
        except (FetchFailed, KeySetUnusable) as error:
            log.warning("jwks_fetch_failed", issuer=self._issuer, error=str(error))
            return False
        gone = len(self._keys.keys.keys() - keys.keys.keys())
        self._keys = keys
        self._loaded_by = number
        self._loaded_at = self._clock.monotonic()
        self._soft_until = self._loaded_at + self._life_s(document.max_age_s)
        self._unknown.forget()
        self._failed_in_row = 0
        self._retry_at = 0.0
        self._stale_told = False
        log.info("jwks_loaded", issuer=self._issuer, keys=len(keys), removed=gone)
        # On disk a document is judged by the rules alone, so one of a less trusted place is not kept there.
        if document.denied <= self._rules.denied:
            self._save(SavedSet(document.body, int(self._clock.wall())))
        return True

    def _fetched(self, fetch: asyncio.Task[bool]) -> None:
        self._fetching = None
        # A fetch that died of a fault of ours is a failure like any other; its owner has told of it.
        loaded = not fetch.cancelled() and fetch.exception() is None and fetch.result()
        if not loaded:
            self.counts.failures += 1
            delay = min(MAX_BACKOFF_S, 2.0**self._failed_in_row)
            self._failed_in_row = min(self._failed_in_row + 1, 10)
            self._retry_at = self._clock.monotonic() + delay * (0.75 + 0.5 * self._ids.jitter())
        self._waiters.wake(loaded)

    def _life_s(self, max_age_s: float | None) -> float:
        jitter = self._ids.jitter()
        life_s = SOFT_LIFE_S * (0.9 + 0.2 * jitter)
        if max_age_s is not None:
            life_s = min(life_s, max(MIN_LIFE_S, max_age_s * (0.9 + 0.1 * jitter)))
        # Half of a short stale limit stays for an outage.
        return min(life_s, self._rules.stale_limit_s / 2)

    def _save(self, saved: SavedSet) -> None:
        # A disk so slow that the last write still runs gets the set of the next refresh.
        if self._file is not None and (self._saving is None or self._saving.done()):
            self._saving = self._tasks.spawn("save", self._write(self._file, saved))

    async def _write(self, file: JwksFile, saved: SavedSet) -> None:
        try:
            await asyncio.to_thread(file.write, saved, self._ids.uuid4())
        except OSError as error:
            log.warning("jwks_not_saved", issuer=self._issuer, error=type(error).__name__)
