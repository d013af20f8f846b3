"""A PostgreSQL server of the test run's own, on a loopback port, its data in a temporary folder.

Tests run it without fsync, as nothing there outlives the run. Root cannot run PostgreSQL, so it is started as
the user that Debian's package makes; if root finds no PostgreSQL, it installs that package.
"""

import asyncio
import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from server.storage.engine import open_postgres
from server.storage.migrate import migrate
from server.storage.url import PostgresServer

DEBIAN = Path("/usr/lib/postgresql")
USER = "lockgate"
PASSWORD = "open/sesame@100%"
"""Nothing that a URL can hold as it is, and easy to find where it does not belong."""
START_LIMIT_S = 60
STOP_LIMIT_S = 20
TEMPLATE = "migrated"
SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "32MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "autovacuum": "off",
}


FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


class PostgresMissing(Exception):
    """This machine has no PostgreSQL, and we may not install it."""


class Postgres:
    """A server that runs. Ends with the process that started it, however that ends."""

    def __init__(self, binaries: Path, folder: Path, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "server.log"
        self._user = _account() if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)  # leaves the test's own in place
        self._administration: AsyncEngine
        self._numbers = itertools.count(1)
        self.port = 0

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def children(self) -> list[int]:
        """The processes that serve connections and what runs beside them."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return [int(pid) for pid in found.split()]

    def make(self) -> None:
        """Make the data folder, with a superuser whose password is asked for, and start."""
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        secret = self._folder / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o644)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        made = self._run("initdb", "-D", self._data, "-U", USER, "--pwfile", secret, *options)
        assert made.wait() == 0, f"initdb failed:\n{self._printed()}"
        self.port = _free_port()
        self.start()
        self._administration = self._engine("postgres")
        self._runner.run(self._make_template())

    def start(self) -> None:
        """Start it (again), on the same port and data."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        self._process = self._run("postgres", "-D", self._data, "-p", str(self.port), *options)
        deadline = time.monotonic() + START_LIMIT_S
        while not self._is_ready():
            failed = self._process.poll() is not None or time.monotonic() > deadline
            assert not failed, f"PostgreSQL did not start:\n{self._printed()}"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT at once and in order, SIGQUIT as by a power cut. The data stays."""
        assert self._process is not None, "not started"
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_LIMIT_S)
        finally:
            self._process.kill()
            self._process.wait()

    def give(self, name: str, content: bytes) -> None:
        """Put a file that nobody else may read into its data folder."""
        file = self._data / name
        file.write_bytes(content)
        file.chmod(0o600)
        if self._user is not None:
            os.chown(file, self._user.pw_uid, self._user.pw_gid)

    def close(self) -> None:
        """End it for good, if it was started."""
        if self._process is not None:
            self.stop(signal.SIGQUIT)
            self._runner.run(self._administration.dispose(close=False))
        self._runner.close()

    @contextlib.contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a new database of the present schema (or that of `template`), dropped at the end."""
        name = f"test{next(self._numbers)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        quoted = "".join(f"%{byte:02X}" for byte in password.encode())
        return f"postgresql://{USER}:{quoted}@127.0.0.1:{self.port}/{database}"

    def server(self, database: str) -> PostgresServer:
        return PostgresServer("127.0.0.1", self.port, database, USER, PASSWORD)

    async def execute(self, statement: str, database: str = "postgres") -> None:
        """Execute one statement, as the superuser and outside of a transaction."""
        engine = self._engine(database)
        await _execute(engine, statement)
        await engine.dispose()

    def _administer(self, statement: str) -> None:
        # On a loop and a connection of its own: making a connection takes longer than making a database.
        self._runner.run(_execute(self._administration, statement))

    def _engine(self, database: str) -> AsyncEngine:
        engine = open_postgres(self.server(database), pool_size=1, timeout_s=30)
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    async def _make_template(self) -> None:
        await _execute(self._administration, f"CREATE DATABASE {TEMPLATE}")
        engine = open_postgres(self.server(TEMPLATE), pool_size=1)
        await migrate(engine)
        await engine.dispose()

    def _run(self, program: str, *options: str | Path) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [self._binaries / program, *options],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=None if self._user is None else self._user.pw_uid,
                group=None if self._user is None else self._user.pw_gid,
                extra_groups=None if self._user is None else (),
                preexec_fn=_end_with_parent,
            )

    def _is_ready(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            return lines[:1] == [str(self.pid)] and lines[7:8] == ["ready   "]
        return False

    def _printed(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Start a server; at the end stop it and remove its data. Raises `PostgresMissing`.

    `durable`: it waits for the disk, which no test needs.
    """
    binaries = find_binaries() or install()
    with tempfile.TemporaryDirectory(prefix="lockgate-postgres-", ignore_cleanup_errors=True) as folder:
        postgres = Postgres(binaries, Path(folder), SETTINGS if durable else SETTINGS | FORGETFUL)
        try:
            postgres.make()
            yield postgres
        finally:
            postgres.close()


def find_binaries() -> Path | None:
    """The folder of the newest server that Debian's packages installed, or of one on the PATH."""
    installed = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if installed:
        return max(installed, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    folder = None if found is None else Path(found).resolve().parent
    return folder if folder is not None and (folder / "postgres").exists() else None


def install() -> Path:
    """Install Debian's package. Raises `PostgresMissing`."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise PostgresMissing("it is not installed, and only root can: apt-get install postgresql")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        done = subprocess.run(["apt-get", "-qq", *command], env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise PostgresMissing(f"apt-get {command[0]} failed: {done.stderr.strip()[-500:]}")
    binaries = find_binaries()
    if binaries is None:
        raise PostgresMissing("Debian's package postgresql brought no server")
    return binaries


async def _execute(engine: AsyncEngine, statement: str) -> None:
    async with engine.connect() as connection:
        await connection.execute(text(statement))


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresMissing("no user but root to run PostgreSQL as")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    # A run that is killed could not stop it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG
