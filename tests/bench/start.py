"""What a start costs: from the birth of the process to its `server_ready`, and the memory that it holds then.

The time of readiness is the event's own. Starts have their bytecode written beforehand, as an installed
server has; one row tells of a start that must compile. A used folder has keys and a database of this release.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import orjson

from tests.bench.process import ServerProcess
from tests.bench.report import say

STARTS = 5
"""Of each kind in a round."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """How it is started, and from what."""

    name: str
    flags: Sequence[str] = ()
    used: bool = False
    environment: Mapping[str, str] | None = None


KINDS = (
    Kind("new database"),
    Kind("used database", used=True),
    Kind("new database, --dev", ("--dev",)),
    Kind("used database, --dev", ("--dev",), used=True),
    # No cache is found there, and none is written.
    Kind(
        "used database, no bytecode",
        used=True,
        environment={"PYTHONPYCACHEPREFIX": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"},
    ),
)


@dataclass(frozen=True, slots=True)
class Start:
    """One start, at its readiness."""

    wall_s: float
    cpu_s: float
    rss_bytes: int
    pss_bytes: int


class StartBench:
    """All measurements of the start."""

    def __init__(self, core: int) -> None:
        self._core = core
        self._starts: dict[str, list[Start]] = {}

    def round(self) -> None:
        """Each kind `STARTS` times, in turn."""
        with tempfile.TemporaryDirectory() as name:
            used = Path(name)
            for flags in ((), ("--dev",)):
                self._start(used, flags, {})  # it makes keys and database, and writes the bytecode
            for _ in range(STARTS):
                for kind in KINDS:
                    with _folder(kind, used) as folder:
                        start = self._start(folder, kind.flags, kind.environment or {})
                    self._starts.setdefault(kind.name, []).append(start)
        for name, starts in self._starts.items():
            say(f"         start, {name:35} {statistics.median(s.wall_s for s in starts):10.3f} s")

    def report(self) -> str:
        """The table; the range is that of the time to ready."""
        lines = [
            f"{'start to ready, medians':30}{'wall s':>9}{'range':>16}{'CPU s':>9}"
            f"{'RSS MiB':>10}{'PSS MiB':>10}"
        ]
        for name, starts in self._starts.items():
            walls = [start.wall_s for start in starts]
            cells = f"{statistics.median(walls):>9.3f}{f'{min(walls):.3f}-{max(walls):.3f}':>16}"
            cells += f"{statistics.median(start.cpu_s for start in starts):>9.3f}"
            cells += f"{statistics.median(start.rss_bytes for start in starts) / MIB:>10.1f}"
            cells += f"{statistics.median(start.pss_bytes for start in starts) / MIB:>10.1f}"
            lines.append(f"{name:30}{cells}")
        return "\n".join(lines)

    def _start(self, folder: Path, flags: Sequence[str], environment: Mapping[str, str]) -> Start:
        command = [sys.executable, "-m", "server", "serve", *flags]
        settings = {
            "PYTHONDONTWRITEBYTECODE": "",
            "LOCKGATE_DATA_DIR": str(folder),
            "LOCKGATE_STORAGE__URL": f"sqlite:///{folder}/bench.db",
            "LOCKGATE_LISTEN__PUBLIC": "127.0.0.1:0",
            "LOCKGATE_LISTEN__OPS": "127.0.0.1:0",
            "LOCKGATE_DEV__PORT": "0",
        }
        with ServerProcess(command, "server_ready", self._core, {**settings, **environment}) as server:
            cpu_s = server.cpu_s()
            ready = datetime.fromisoformat(orjson.loads(server.ready_line)["time"]).timestamp()
            return Start(ready - server.born, cpu_s, server.rss_bytes(), server.pss_bytes())


@contextmanager
def _folder(kind: Kind, used: Path) -> Iterator[Path]:
    if kind.used:
        yield used
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
