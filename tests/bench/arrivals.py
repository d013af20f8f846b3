"""What it takes to let players in: a sign-in with a token of an identity provider, then the socket.

New players first, then the same ones again, on a SQLite file whose commits wait for the disk. As many arrive
at once as there are connections, each as soon as the one before it is in.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from tests.bench.issuer import BenchIssuer
from tests.bench.load import connect, reset
from tests.bench.logins import Connection, environment
from tests.bench.process import ServerProcess
from tests.bench.report import say, table

ARRIVALS = 2_000
AT_ONCE = 64
WARM = 200
KINDS = ("new players", "known players")
COST = "sign-in and connect, CPU us"
RATE = "sign-ins and connects a second"


class ArrivalBench:
    """All measurements of arrivals, with a fresh server each round."""

    def __init__(self, core: int) -> None:
        self._core = core
        self._issuer = BenchIssuer()
        self._tokens = self._issuer.tokens(WARM + ARRIVALS)
        self._results: dict[str, dict[str, list[float]]] = {}

    async def round(self) -> None:
        """Both kinds once."""
        command = [sys.executable, "-m", "server", "serve"]
        async with self._issuer.published() as jwks_url:
            with tempfile.TemporaryDirectory() as name:
                settings = environment(Path(name), f"sqlite:///{name}/bench.db", jwks_url)
                with ServerProcess(command, "server_ready", self._core, settings) as server:
                    port = int(orjson.loads(server.ready_line)["public"].rpartition(":")[2])
                    await _arrive(port, self._tokens[:WARM])
                    for kind in KINDS:
                        cpu_s, began = server.cpu_s(), time.perf_counter()
                        await _arrive(port, self._tokens[WARM:])
                        passed_s = time.perf_counter() - began
                        self._note(COST, kind, (server.cpu_s() - cpu_s) / ARRIVALS * 1e6)
                        self._note(RATE, kind, ARRIVALS / passed_s)

    def report(self) -> str:
        """The table."""
        return table(self._results, KINDS)

    def _note(self, label: str, kind: str, figure: float) -> None:
        self._results.setdefault(label, {}).setdefault(kind, []).append(figure)
        say(f"         {label:42} {kind:14} {figure:10.2f}")


async def _arrive(port: int, tokens: Sequence[str]) -> None:
    waiting = list(tokens)

    async def let_in() -> None:
        http = Connection(*await asyncio.open_connection("127.0.0.1", port))
        while waiting:
            session = await http.sign_in(waiting.pop())
            reset(await connect(port, [session["token"]]))
        http.close()

    await asyncio.gather(*(let_in() for _ in range(AT_ONCE)))
