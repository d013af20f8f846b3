"""In development: a game's module that was saved is loaded again, while its matches run.

Matches that can say what they are go on with the new code; the others keep the old until they end. Code that
cannot be loaded is told, and changes nothing. The disk is asked off the event loop.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from server.runtime.game import Game, GameError
from server.runtime.loader import own_modules, reload
from server.tasks import TaskOwner

INTERVAL_S = 0.5
MAX_FILES = 2_000
"""Files that are looked at; of a larger game the rest is not watched."""

Seen = Mapping[Path, tuple[int, int]]
"""Time of change in nanoseconds, and size, by file."""

log = structlog.get_logger("lockgate.game")


class Reloader:
    """Watches the files of these modules. `take` is given the game after each change that can be loaded."""

    def __init__(self, names: Sequence[str], take: Callable[[Game], None], tasks: TaskOwner) -> None:
        self._names = names
        self._take = take
        self._tasks = tasks
        self._folders: Sequence[Path] = ()
        self._seen: Seen = {}
        self.reloaded = 0

    def start(self) -> None:
        """Watch from now on, until the tasks are cancelled."""
        self._folders = _folders(self._names)
        self._seen = _look(self._folders)
        _ = self._tasks.spawn("reload", self._watch())

    def look(self, seen: Seen) -> bool:
        """Load the game anew if its files are not those that were seen last. Returns whether it was."""
        if seen == self._seen:
            return False
        changed = sorted({path.name for path, _ in seen.items() ^ self._seen.items()})
        self._seen = seen
        try:
            game = reload(self._names)
        except GameError as error:
            log.error("game_not_reloaded", changed=changed, problems=list(error.problems))
            return False
        known, self._folders = self._folders, _folders(self._names)
        self._seen = {**seen, **_look([each for each in self._folders if each not in known])}
        self.reloaded += 1
        log.info("game_reloaded", changed=changed)
        self._take(game)
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            self.look(await asyncio.to_thread(_look, self._folders))


def _folders(names: Sequence[str]) -> Sequence[Path]:
    return sorted({Path(str(module.__file__)).parent for module in own_modules(names)})


def _look(folders: Sequence[Path]) -> Seen:
    # All files in the folders, not only those that were imported: the one that was missing may come.
    files = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    seen: dict[Path, tuple[int, int]] = {}
    for path in files[:MAX_FILES]:
        try:
            state = path.stat()
        except OSError:
            continue  # it was removed meanwhile
        seen[path] = (state.st_mtime_ns, state.st_size)
    return seen
