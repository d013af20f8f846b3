"""A server of its own process, on ports of the system's choice, as an operator would start it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from server.identity.devissuer import fetch_dev_token

START_LIMIT_S = 30
STOP_LIMIT_S = 15


class RunningServer:
    """`public` and `ops` are `host:port`, `issuer` is a URL; `stdout` and `stderr` grow line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self.public = ""
        self.ops = ""
        self.issuer = ""
        self.killed = False
        self._readers: list[threading.Thread] = []

    @property
    def host(self) -> str:
        return self.public.rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.public.rpartition(":")[2])

    @property
    def output(self) -> str:
        """Everything printed so far, on both streams."""
        return "".join([*self.stdout, *self.stderr])

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log so far, line by line."""
        return [json.loads(line) for line in list(self.stdout) if line.startswith("{")]

    def identity_token(self, user: str) -> str:
        """An identity JWT of the development issuer; the user is made if missing."""
        return fetch_dev_token(int(self.issuer.split("/")[2].rpartition(":")[2]), user)

    def wait_until_ready(self) -> None:
        """Read up to the line that tells the bound addresses. Fails with all output if it never comes."""
        stdout, stderr = self.process.stdout, self.process.stderr
        assert stdout is not None
        assert stderr is not None
        self._read_on(stderr, self.stderr)
        overdue = threading.Timer(START_LIMIT_S, self.process.kill)
        overdue.start()
        try:
            ready = self._find_ready(stdout)
        finally:
            overdue.cancel()
            self._read_on(stdout, self.stdout)
        self.public, self.ops = ready["public"], ready["ops"]
        self.issuer = ready.get("issuer") or ""

    def wait_for_event(self, name: str, count: int = 1, *, limit_s: float) -> dict[str, Any]:
        """The count-th event of this name, once it was logged. Blocks; fails when that takes too long."""
        deadline = time.monotonic() + limit_s
        while len(found := [event for event in self.events if event["event"] == name]) < count:
            assert time.monotonic() < deadline, f"no {name} within {limit_s} s:\n{self.output}"
            time.sleep(0.01)
        return found[count - 1]

    def kill(self) -> None:
        """End it as a power cut does: it gets to do nothing more."""
        self.killed = True
        self.process.kill()

    def stop(self) -> int:
        """End it as an operator does, and give its exit status."""
        self.process.terminate()
        try:
            return self.process.wait(STOP_LIMIT_S)
        finally:
            self.process.kill()
            self.process.wait()
            for reader in self._readers:
                reader.join()
            for stream in (self.process.stdout, self.process.stderr):
                if stream is not None:
                    stream.close()

    def _find_ready(self, stdout: IO[str]) -> dict[str, Any]:
        for line in stdout:
            self.stdout.append(line)
            if line.startswith("{") and (event := json.loads(line))["event"] == "server_ready":
                return dict(event)
        raise AssertionError(f"the server did not become ready:\n{self.output}")

    def _read_on(self, stream: IO[str], lines: list[str]) -> None:
        """Keep reading, so that a full pipe never holds the server up."""
        reader = threading.Thread(target=lines.extend, args=(stream,), daemon=True)
        reader.start()
        self._readers.append(reader)


def without_settings() -> dict[str, str]:
    """This process's environment, less what would configure the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCKGATE_")}


@contextlib.contextmanager
def running_server(
    folder: Path,
    *flags: str,
    environment: dict[str, str] | None = None,
    program: Sequence[str] = ("server",),
) -> Iterator[RunningServer]:
    """Start `serve --dev` with all its data under `folder`; `program` is a module with its first arguments.

    At the end its exit status must be 0, unless it was killed.
    """
    own = {
        "LOCKGATE_LISTEN__PUBLIC": "127.0.0.1:0",
        "LOCKGATE_LISTEN__OPS": "127.0.0.1:0",
        "LOCKGATE_DEV__PORT": "0",
        "LOCKGATE_LOG__FORMAT": "json",
    }
    command = [*program, "serve", "--dev", *flags]
    with running_module(command, folder, {**without_settings(), **own, **(environment or {})}) as server:
        yield server


@contextlib.contextmanager
def running_module(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> Iterator[RunningServer]:
    """Run a module that tells its addresses as the server does, in a line with the event `server_ready`."""
    server = RunningServer(
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    try:
        server.wait_until_ready()
        yield server
    except BaseException:
        # What went wrong first is what the reader needs; how the server then ended is not.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.stop()
        raise
    status = server.stop()
    assert server.killed or status == 0, server.output
