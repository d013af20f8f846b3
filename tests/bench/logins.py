"""What a login costs: the verification of its token beside other verifiers, the whole over HTTP, a refresh.

Logins come on a schedule that does not wait for answers, so a login that the server keeps waiting makes
the later ones late too, and their wait is counted.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.issuer import CLIENT, ISSUER, POOL, BenchIssuer
from tests.bench.process import ADMIT_ALL, ServerProcess
from tests.bench.report import say, table
from tests.support.postgres import Postgres

LOGINS = 1000
PER_SECOND = 200
CONNECTIONS = 64
WARM = 100
REFRESHES = 3
VERIFIED = "identity token verified, CPU us"
VERIFIERS = {
    "lockgate": [sys.executable, "-m", "tests.bench.contenders.verify", "lockgate"],
    "PyJWT": [sys.executable, "-m", "tests.bench.contenders.verify", "pyjwt"],
}
AUTHORIZATION = "Basic ZGVmYXVsdGtleTo="

Results = dict[str, dict[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Passed:
    """A thousand logins that went by."""

    cpu_us: float
    latencies_s: Sequence[float]

    def latency_ms(self, percentile: int) -> float:
        return statistics.quantiles(self.latencies_s, n=100)[percentile - 1] * 1e3


class Connection:
    """A kept-alive HTTP connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def login(self, token: str) -> str:
        """Gives the refresh token. Raises RuntimeError when the answer is not a session."""
        return (await self.sign_in(token))["refresh_token"]

    async def sign_in(self, token: str) -> dict[str, str]:
        """Gives the session. Raises RuntimeError when the answer is none."""
        return await self._pair(b"authenticate/custom", {"id": token})

    async def refresh(self, token: str) -> str:
        """Gives the next refresh token. Raises RuntimeError when the answer is not a session."""
        return (await self._pair(b"session/refresh", {"token": token}))["refresh_token"]

    async def _pair(self, path: bytes, asked: dict[str, str]) -> dict[str, str]:
        body = json.dumps(asked).encode()
        self._writer.write(
            b"POST /v2/account/%s HTTP/1.1\r\nHost: bench\r\n"
            b"Content-Type: application/json\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (path, AUTHORIZATION.encode(), len(body), body)
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length: ")[2].partition("\r\n")[0]
        answer = await self._reader.readexactly(int(length))
        if " 200 " not in head.partition("\r\n")[0]:
            raise RuntimeError(f"{path.decode()} was refused: {answer.decode()}")
        session: dict[str, str] = json.loads(answer)
        return session

    def close(self) -> None:
        self._writer.transport.abort()


class Pool:
    """Connections that logins take in turn; one that finds none free waits, and its lateness counts."""

    def __init__(self) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        self.refresh_tokens: list[str] = []
        """Of the logins since it was emptied."""

    async def open(self, port: int) -> None:
        for _ in range(CONNECTIONS):
            await self._free.put(Connection(*await asyncio.open_connection("127.0.0.1", port)))

    async def login(self, token: str, due: float) -> float:
        """Seconds from when it was due to its answer."""
        connection = await self._free.get()
        self.refresh_tokens.append(await connection.login(token))
        self._free.put_nowait(connection)
        return time.perf_counter() - due

    async def refresh_all(self) -> None:
        """Refresh each login once, as fast as the connections take them."""
        tokens, self.refresh_tokens = self.refresh_tokens, []

        async def refresh() -> None:
            connection = await self._free.get()
            while tokens:
                self.refresh_tokens.append(await connection.refresh(tokens.pop()))
            self._free.put_nowait(connection)

        await asyncio.gather(*(refresh() for _ in range(CONNECTIONS)))

    async def scheduled(self, tokens: Sequence[str], per_second: float) -> list[float]:
        """One login per token, each at its time whatever became of the others. Gives their latencies."""
        loop = asyncio.get_running_loop()
        start = time.perf_counter() + 0.1  # the loop's own clock counts whole milliseconds
        tasks = []
        for number, token in enumerate(tokens):
            due = start + number / per_second
            await asyncio.sleep(due - time.perf_counter())
            tasks.append(loop.create_task(self.login(token, due)))
        return await asyncio.gather(*tasks)

    def close(self) -> None:
        while not self._free.empty():
            self._free.get_nowait().close()


class LoginBench:
    """All measurements of logins, on one core beside the load's."""

    def __init__(
        self, core: int, seconds: float, node: Sequence[str] | None, postgres: Postgres | None
    ) -> None:
        self._core = core
        self._seconds = seconds
        self._postgres = postgres
        self._issuer = BenchIssuer()
        self._tokens = self._issuer.tokens(WARM + LOGINS)
        self._verifiers = VERIFIERS | ({} if node is None else {"aws-jwt-verify": list(node)})
        self.verified: Results = {}
        self.passed: Results = {}
        self._refreshed: dict[str, float] = {}

    async def round(self) -> None:
        """Each verifier once; on each database a fresh server, with new players and with the same again."""
        for name, command in self._verifiers.items():
            cost = await asyncio.to_thread(self._verify, command)
            self.verified.setdefault(VERIFIED, {}).setdefault(name, []).append(cost)
            say(f"         {VERIFIED:42} {name:14} {cost:10.2f}")
        with tempfile.TemporaryDirectory() as folder:
            self._note("SQLite", await self._serve(f"sqlite:///{folder}/bench.db"))
        if self._postgres is not None:
            with ExitStack() as stack:  # in a thread: its administration has a loop of its own
                url = await asyncio.to_thread(stack.enter_context, self._postgres.database())
                self._note("PostgreSQL", await self._serve(url))
                await asyncio.to_thread(stack.close)

    def _note(self, database: str, kinds: Mapping[str, Passed]) -> None:
        verified_us = self.verified[VERIFIED]["lockgate"][-1]
        figures: dict[str, float] = {}
        for kind, passed in kinds.items():
            figures |= {
                f"{kind} at {PER_SECOND}/s, CPU us": passed.cpu_us,
                f"{kind}, of it verification": verified_us,
                f"{kind}, of it storage, minting, HTTP": passed.cpu_us - verified_us,
                f"{kind} at {PER_SECOND}/s, p50 ms": passed.latency_ms(50),
                f"{kind} at {PER_SECOND}/s, p99 ms": passed.latency_ms(99),
            }
        for label, figure in (figures | self._refreshed).items():
            self.passed.setdefault(label, {}).setdefault(database, []).append(figure)
            say(f"         {label:42} {database:14} {figure:10.2f}")

    def report(self) -> str:
        """Both tables."""
        databases = ["SQLite"] if self._postgres is None else ["SQLite", "PostgreSQL"]
        missing = "" if self._postgres is not None else "\n(No PostgreSQL here, so its column is missing.)"
        return "\n\n".join(
            [
                table(self.verified, list(self._verifiers)),
                f"{LOGINS} logins each, on an open schedule: lateness counts; CPU is our process's alone\n"
                + table(self.passed, databases)
                + missing,
            ]
        )

    def _verify(self, command: Sequence[str]) -> float:
        given = {
            "issuer": ISSUER,
            "pool": POOL,
            "client": CLIENT,
            "jwks": self._issuer.jwks,
            "tokens": self._tokens[:WARM],
            "seconds": self._seconds,
        }
        done = subprocess.run(
            command,
            input=json.dumps(given),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        return float(done.stdout)

    async def _serve(self, database: str) -> Mapping[str, Passed]:
        command = [sys.executable, "-m", "server", "serve"]
        async with self._issuer.published() as jwks_url:
            with tempfile.TemporaryDirectory() as folder:
                settings = environment(Path(folder), database, jwks_url)
                with ServerProcess(command, "server_ready", self._core, settings) as server:
                    return await self._load(server)

    async def _load(self, server: ServerProcess) -> Mapping[str, Passed]:
        pool = Pool()
        await pool.open(int(json.loads(server.ready_line)["public"].rpartition(":")[2]))
        await pool.scheduled(self._tokens[:WARM], PER_SECOND)
        passed = {}
        for kind in ("first login", "later login"):
            cpu_s = server.cpu_s()
            latencies = await pool.scheduled(self._tokens[WARM:], PER_SECOND)
            passed[kind] = Passed((server.cpu_s() - cpu_s) / LOGINS * 1e6, latencies)
        self._refreshed = await self._refresh(server, pool)
        pool.close()
        return passed

    async def _refresh(self, server: ServerProcess, pool: Pool) -> dict[str, float]:
        """Each login is refreshed in turn, `REFRESHES` times over."""
        cpu_s, start = server.cpu_s(), time.perf_counter()
        del pool.refresh_tokens[:-LOGINS]
        for _ in range(REFRESHES):
            await pool.refresh_all()
        done = REFRESHES * LOGINS
        return {
            f"refreshes a second, {CONNECTIONS} at a time": done / (time.perf_counter() - start),
            "refresh, CPU us": (server.cpu_s() - cpu_s) / done * 1e6,
        }


def environment(folder: Path, database: str, jwks_url: str) -> dict[str, str]:
    """The settings of a server that lets the bench's players sign in, as fast as they come."""
    issuer = {"issuer": ISSUER, "jwks_url": jwks_url, "client_ids": [CLIENT]}
    return {
        **ADMIT_ALL,
        "LOCKGATE_DATA_DIR": str(folder),
        "LOCKGATE_STORAGE__URL": database,
        "LOCKGATE_LISTEN__PUBLIC": "127.0.0.1:0",
        "LOCKGATE_LISTEN__OPS": "127.0.0.1:0",
        "LOCKGATE_IDENTITY__ISSUERS": json.dumps([issuer]),
        # The whole load has one address.
        "LOCKGATE_IDENTITY__LOGINS_PER_MINUTE_PER_ADDRESS": "0",
        "LOCKGATE_IDENTITY__LOGINS_PER_MINUTE_PER_SUBJECT": "0",
        "LOCKGATE_SESSION__REFRESHES_PER_MINUTE_PER_ADDRESS": "0",
        "LOCKGATE_SESSION__REFRESH_EVERY_S": "0",
    }
