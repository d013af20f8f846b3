"""Keeps the deny list as the database has it: at start, and whenever another process ends a login.

Another process is another server on the same database, or an operator's command. What it wrote is known here
within the interval. A database that does not answer leaves the list as it is; the reading goes on.
"""

import asyncio
from collections.abc import Callable

import structlog

from server.clock import Clock
from server.identity.revocation import Revocations
from server.storage.revocations import Ended
from server.storage.store import Store
from server.tasks import TaskOwner

INTERVAL_S = 0.5
"""Half of the second within which a revocation must bite."""
PURGE_EVERY_S = 600.0
PURGE_PAGES = 100
"""Pages at a time, so that a large backlog is removed over several rounds."""

log = structlog.get_logger("lockgate.identity")


class RevocationFeed:
    """Reads the log of revocations on. `start` it before tokens are checked, and `close` it."""

    def __init__(self, store: Store, revocations: Revocations, clock: Clock, tasks: TaskOwner) -> None:
        self._store = store
        self._revocations = revocations
        self._clock = clock
        self._tasks = tasks
        self._last = 0
        self._version: int | None = None
        """The database's, when it was last read to its end."""
        self.on_socket_named: Callable[[str], None] = lambda _: None
        """Told of a socket's id whose login an operator wants to end."""
        self._looking = asyncio.Lock()
        self._failing = False
        self.failures = 0
        self.purged = 0
        """Rows of logins and revocations that nothing needed any more."""

    async def start(self) -> None:
        """Load what a restart must not forget, then keep up in the background."""
        while True:
            found, last = await self._store.revocations.after(self._last, now=int(self._clock.wall()))
            self._revocations.load(item for item in found if item.reason is not Ended.SOCKET)
            if last == self._last:
                break
            self._last = last
        self._loops = (
            self._tasks.spawn("revocations", self._keep_up()),
            self._tasks.spawn("purge", self._keep_clean()),
        )

    async def close(self) -> None:
        await self._tasks.cancel_all()

    async def poll(self) -> None:
        """Learn what was decided since the last look."""
        async with self._looking:  # two at once would move the place to read on from back and forth
            await self._read_on()

    async def purge(self) -> int:
        """Remove a page of what is over, from both tables. Returns the number of rows."""
        now = int(self._clock.wall())
        removed = await self._store.families.purge(now) + await self._store.revocations.purge(now)
        self.purged += removed
        return removed

    async def _read_on(self) -> None:
        version = await self._store.database.version()  # asked first: what comes after it is read next time
        if version is not None and version == self._version:
            return
        while True:
            found, last = await self._store.revocations.after(self._last, now=int(self._clock.wall()))
            self._revocations.add([item for item in found if item.reason is not Ended.SOCKET])
            for item in found:
                if item.reason is Ended.SOCKET:
                    self.on_socket_named(item.family_id)
            if last == self._last:
                self._version = version
                return
            self._last = last

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.poll()
            except Exception as error:  # whatever the database's driver raises; it will be asked again
                self._failed("revocations_not_read", error)
            else:
                self._failing = False

    async def _keep_clean(self) -> None:
        while True:
            await asyncio.sleep(PURGE_EVERY_S)
            try:
                for _ in range(PURGE_PAGES):
                    if not await self.purge():
                        break
            except Exception as error:  # as above; nothing waits for it
                self._failed("purge_failed", error)

    def _failed(self, event: str, error: Exception) -> None:
        self.failures += 1
        if not self._failing:
            log.error(event, error=type(error).__name__)
        self._failing = True
