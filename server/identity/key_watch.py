"""Notices within a second that the key file has changed, and gives its keys to the tokens without a restart.

The disk is asked off the event loop: the file may be on a mount that answers late, or never. A file that
cannot be used changes nothing but the log and a count; the keys that were good stay.
"""

import asyncio

import structlog

from server.clock import Clock
from server.config import Settings
from server.identity import key_file
from server.identity.key_file import FileState, KeyFile
from server.identity.signingkeys import KeyFileError, SigningKeys
from server.identity.tokens import Tokens
from server.ids import Ids
from server.tasks import TaskOwner

INTERVAL_S = 1.0
EARLY_INTERVAL_S = 1.0
"""Tokens with made-up key ids cause one look in this time, all together."""

log = structlog.get_logger("lockgate.identity")


class KeyWatch:
    """The signing keys of this process. `open` it, `start` it, `close` it.

    `loaded` and `not_loaded` count changes of the file by whether its keys could be used.
    """

    def __init__(self, file: KeyFile | None, keys: SigningKeys, clock: Clock, tasks: TaskOwner) -> None:
        self._file = file
        self.keys = keys
        self._clock = clock
        self._tasks = tasks
        self._tokens: Tokens | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._early_at = float("-inf")
        self._seen: FileState | None = None
        self._read_again = False
        self._told: tuple[FileState | None, str] | None = None
        self.loaded = 0
        self.not_loaded = 0

    @classmethod
    def open(cls, settings: Settings, clock: Clock, ids: Ids) -> "KeyWatch":
        """Load the keys, making a key file if none is configured or there. Raises `KeyFileError`."""
        file = KeyFile.configured(settings)
        keys = key_file.load(settings, file, ids, clock.wall())
        return cls(file, keys, clock, TaskOwner("key_watch"))

    def start(self, tokens: Tokens) -> None:
        """Keep the keys of `tokens` those of the file; without a file there is nothing to watch."""
        self._tokens = tokens
        if self._file is not None:
            tokens.on_unknown_key = self.look_early
            self._tick()

    def look_early(self) -> None:
        """Look at the file now, if that was not asked for within the last second."""
        now = self._clock.monotonic()
        if now >= self._early_at:
            self._early_at = now + EARLY_INTERVAL_S
            self._look_behind()

    async def look(self) -> None:
        """Read the file if it has changed."""
        if self._file is None:
            return
        try:
            keys = await self._read_if_changed(self._file)
        except KeyFileError as error:
            self._read_again = True  # whatever was wrong may pass without changing the file
            self._refuse(str(error))
            return
        if keys is not None:
            self._take(keys)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.cancel_all()

    async def _read_if_changed(self, file: KeyFile) -> SigningKeys | None:
        before, self._seen = self._seen, None
        self._seen = await asyncio.to_thread(file.state)
        changed = self._seen != before
        if not changed and not self._read_again:
            return None
        # Times of files are coarse: one more reading finds what was written right after the first.
        self._read_again = changed
        return (await asyncio.to_thread(file.read)).keys

    def _take(self, keys: SigningKeys) -> None:
        if keys == self.keys and self._told is None:
            return
        self.keys, self._told = keys, None
        if self._tokens is not None:
            self._tokens.use_keys(keys)
        self.loaded += 1
        log.info("session_keys_loaded", **keys.kids())

    def _refuse(self, reason: str) -> None:
        if (self._seen, reason) != self._told:
            self._told = (self._seen, reason)
            self.not_loaded += 1
            log.error("session_keys_not_loaded", reason=reason)

    def _tick(self) -> None:
        # Scheduled first, so that nothing below can end the watching.
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._tick)
        self._look_behind()

    def _look_behind(self) -> None:
        # One at a time: on a mount that hangs, threads would pile up.
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.spawn("look", self.look())
