"""A server process under test: started on a core of its own, its CPU time and memory read from /proc."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 30
ADMIT_ALL = {
    f"LOCKGATE_ADMISSION__{limit}": "0"
    for limit in (
        "SOCKETS_TOTAL",
        "SOCKETS_PER_ADDRESS",
        "HANDSHAKES_PER_S",
        "HANDSHAKES_PER_S_PER_ADDRESS",
        "CONNECTIONS_TOTAL",
        "CONNECTIONS_PER_ADDRESS",
    )
}
"""Settings of our server under load that comes from one address."""
RAISED_RATES = {"LOCKGATE_SOCKET__MESSAGES_PER_S": "1000000", "LOCKGATE_SOCKET__BYTES_PER_S": "1000000000"}
"""For sockets that each do the work of many players: what is sent is counted, and never too much."""


class ServerProcess:
    """Runs `command` pinned to `core`; ready when it has printed a line that holds `ready`."""

    def __init__(
        self,
        command: Sequence[str],
        ready: str,
        core: int,
        environment: Mapping[str, str],
        errors: Path | None = None,
    ) -> None:
        """`errors`: the file that its standard error goes to, if anybody wants it."""
        self._command = list(command)
        self._ready = ready.encode()
        self._core = core
        self._environment = {**os.environ, **environment}
        self._errors = Path(os.devnull) if errors is None else errors

    def __enter__(self) -> Self:
        # A file, not a pipe: one that nobody reads while the load runs would stop the server.
        self._output = tempfile.NamedTemporaryFile("ab")
        self.born = time.time()
        """Unix seconds."""
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                self._command,
                stdout=self._output,
                stderr=errors,
                env=self._environment,
                preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
            )
        self.ready_line = self._wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._output.close()

    @property
    def log(self) -> Path:
        """What it has printed so far; gone when the block ends."""
        return Path(self._output.name)

    def stop(self, limit_s: float = 15) -> int:
        """End it as an operator does, and give its exit status. Raises TimeoutExpired."""
        self._process.terminate()
        return self._process.wait(limit_s)

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, user and system, from the scheduler's own count."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def rss_bytes(self) -> int:
        """Resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def pss_bytes(self) -> int:
        """Resident memory, what is shared with other processes by their number."""
        for line in Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel does not tell the proportional memory")

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in Path(self._output.name).read_bytes().splitlines(keepends=True):
                if self._ready in line and line.endswith(b"\n"):
                    return line.decode()
            time.sleep(0.02)
        raise RuntimeError(f"{self._command[0]} did not start")
