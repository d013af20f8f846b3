"""python -m tests.bench: CPU and memory of the whole server beside two others that do the same work.

Each measurement has a fresh server process pinned to the last core; the load runs on the first. Runs of all
contenders are interleaved, and the median of the rounds is told. CPU time counts, not wall time, since
machines are shared.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import uvloop

from server.clock import SystemClock
from server.identity.key_file import KeyFile
from server.identity.revocation import Revocations
from server.identity.tokens import Lifetimes, Subject, Tokens
from server.ids import RandomIds
from tests.bench.arenas import ArenasBench
from tests.bench.arrivals import ArrivalBench
from tests.bench.codec import CodecBench
from tests.bench.followers import FOLLOWERS, FollowerBench, account_of, make_account
from tests.bench.idle import IdleBench
from tests.bench.load import Client, Echo, FanOut, connect, measure, quiet, reset
from tests.bench.logins import LoginBench
from tests.bench.matchmaker import MatchmakerBench
from tests.bench.process import ADMIT_ALL, RAISED_RATES, ServerProcess
from tests.bench.relay import RelayBench
from tests.bench.report import say, table
from tests.bench.rush import RushBench
from tests.bench.start import StartBench
from tests.bench.swarm import SwarmBench
from tests.bench.tokens import TokenBench
from tests.support.node import NODE, PackagesMissing, install_packages
from tests.support.postgres import Postgres, PostgresMissing, running_postgres

NODE_FOLDER = Path(__file__).parent / "contenders" / "node"
Scenario = Callable[[ServerProcess, int], Awaitable[float]]
"""(server, its port) -> the figure."""
IDLE = 5000
CONNECTS = 2000
LOGIN_ROWS = "logins"
"""What `--only` calls the measurements of logins."""
ARRIVAL_ROWS = "arrivals"
"""What it calls those of sign-ins with the socket that follows."""
FOLLOWER_ROWS = "followers"
"""What it calls those of a player whom many follow."""
MATCHMAKER_ROWS = "matchmaker"
"""What it calls those of the matchmaker."""
ARENA_ROWS = "arenas"
"""What it calls those of matches that the server runs."""
TOKEN_ROWS = "tokens"
"""What `--only` calls those of checks of our own tokens."""
CODEC_ROWS = "codec"
"""What `--only` calls those of reading and writing messages."""
SWARM_ROWS = "swarm"
"""What it calls those of the load tester's own code."""
IDLE_ROWS = "idle sockets"
"""What it calls those of sockets that only answer pings."""
RELAY_ROWS = "relay"
"""What it calls those of relayed matches on an open schedule."""
RUSH_ROWS = "rush"
"""What it calls those of thousands who come at once."""
START_ROWS = "start"
"""What it calls those of the server's start."""
DATA = "eyJ4IjoxMi41LCJ5IjozLjI1fQ=="


@dataclass(frozen=True, slots=True)
class Contender:
    """How one server is started, and how its port is read from the line that says it is ready."""

    name: str
    command: list[str]
    ready: str
    environment: Mapping[str, str]

    def start(self, core: int) -> ServerProcess:
        return ServerProcess(self.command, self.ready, core, self.environment)

    def port(self, line: str) -> int:
        if line.startswith("{"):
            return int(orjson.loads(line)["public"].rpartition(":")[2])
        return int(line.split()[-1])


class Bench:
    """One run of everything."""

    def __init__(self, folder: Path, core: int, warm_s: float, for_s: float, *, with_node: bool) -> None:
        self._core = core
        self._warm_s = warm_s
        self._for_s = for_s
        ids = RandomIds("bench")
        keys = KeyFile(folder / "keys.json").open(ids, SystemClock().wall())
        clock = SystemClock()
        self._mint = Tokens(keys, Lifetimes(7200, 7200, 7200), Revocations(clock), clock)
        self._now = int(clock.wall())
        secret = {"BENCH_SECRET": keys.session[0].secret.hex()}
        settings = {
            **ADMIT_ALL,
            **RAISED_RATES,
            "LOCKGATE_DATA_DIR": str(folder),
            "LOCKGATE_SESSION__KEY_FILE": str(folder / "keys.json"),
            "LOCKGATE_STORAGE__URL": f"sqlite:///{folder}/bench.db",
            "LOCKGATE_LISTEN__PUBLIC": "127.0.0.1:0",
            "LOCKGATE_LISTEN__OPS": "127.0.0.1:0",
        }
        self._url = settings["LOCKGATE_STORAGE__URL"]
        python = sys.executable
        self.contenders = [
            Contender("lockgate", [python, "-m", "server", "serve"], "server_ready", settings),
            Contender("websockets", [python, "-m", "tests.bench.contenders.serve"], "ready", secret),
        ]
        if with_node:
            node = [str(NODE), str(NODE_FOLDER / "server.mjs")]
            self.contenders.append(Contender("node ws", node, "ready", secret))

    def tokens(self, count: int) -> list[str]:
        terms = self._mint.terms(self._now, self._now + 7200)
        return [
            self._mint.mint(
                Subject(
                    account_of(number),
                    f"player{number:05}",
                    account_of(number),
                    {},
                    self._now,
                ),
                terms,
            ).token
            for number in range(count)
        ]

    async def echo(self, server: ServerProcess, port: int) -> float:
        """CPU us per heartbeat echoed, 50 connections."""
        clients = await connect(port, self.tokens(50))
        return await self._echo(server, clients, lambda _: {"cid": "1", "ping": {}})

    async def routed_echo(self, server: ServerProcess, port: int) -> float:
        """CPU us per match message sent back to its sender through router, rules and envelopes."""
        clients = await connect(port, self.tokens(50))
        joined = {client: await self._join(client, f"own-{n}") for n, client in enumerate(clients)}

        def message(client: Client) -> object:
            match_id, me = joined[client]
            return {
                "match_data_send": {"match_id": match_id, "op_code": "1", "data": DATA, "presences": [me]}
            }

        return await self._echo(server, clients, message)

    async def fan_out(self, server: ServerProcess, port: int, size: int, senders: int) -> float:
        """CPU us per delivery, 200 connections in rooms of `size`, `senders` at once in each."""
        clients = await connect(port, self.tokens(200))
        rooms = [clients[start : start + size] for start in range(0, len(clients), size)]
        matches = []
        for number, room in enumerate(rooms):
            joined = [await self._join(client, f"room-{number}") for client in room]
            matches.append(joined[0][0])
        await quiet(clients)

        def message(room: int) -> object:
            return {"match_data_send": {"match_id": matches[room], "op_code": "1", "data": DATA}}

        for client in clients:
            client.kept = b""
        rooms[0][0].send(message(0))
        await quiet(clients)
        frame_bytes = len(rooms[0][1].kept)
        load = FanOut(rooms, senders, message, frame_bytes)
        window = await measure(lambda: load.deliveries, server.cpu_s, self._warm_s, self._for_s)
        reset(clients)
        return window.cpu_us

    async def idle_memory(self, server: ServerProcess, port: int) -> float:
        """KiB of resident memory per idle authenticated socket, after one echo each."""
        warm = await connect(port, self.tokens(50))
        await quiet(warm)
        reset(warm)
        await asyncio.sleep(0.5)
        before = server.rss_bytes()
        clients = await connect(port, self.tokens(IDLE))
        for client in clients:
            client.send({"cid": "1", "ping": {}})
        await quiet(clients)
        grown = server.rss_bytes() - before
        reset(clients)
        return grown / IDLE / 1024

    async def connects(self, server: ServerProcess, port: int) -> float:
        """Connects per CPU second: TCP, upgrade, token check, reset."""
        tokens = self.tokens(CONNECTS)
        reset(await connect(port, tokens[:200]))
        await asyncio.sleep(0.3)
        cpu = server.cpu_s()
        for start in range(0, CONNECTS, 200):
            reset(await connect(port, tokens[start : start + 200]))
            await asyncio.sleep(0.3)
        return CONNECTS / (server.cpu_s() - cpu)

    async def followers(self, bench: FollowerBench) -> None:
        """One round of the measurements of a followed player; only our server knows such."""
        await make_account(self._url, RandomIds("bench"))
        # Followers only listen, and do not answer pings.
        patient = {"LOCKGATE_SOCKET__PING_INTERVAL_S": "600", "LOCKGATE_SOCKET__PONG_TIMEOUT_S": "1200"}
        ours = self.contenders[0]
        ours = replace(ours, environment={**ours.environment, **patient})
        with ours.start(self._core) as server:
            await bench.round(server, ours.port(server.ready_line), self.tokens(1 + max(FOLLOWERS)))

    def arenas(self, seconds: float) -> ArenasBench:
        """The measurements of matches that the server runs; only ours has such."""
        game = {
            "LOCKGATE_RUNTIME__MODULES": '["tests.bench.arena_game"]',
            "LOCKGATE_SOCKET__PING_INTERVAL_S": "600",
            "LOCKGATE_SOCKET__PONG_TIMEOUT_S": "1200",
        }
        ours = self.contenders[0]
        ours = replace(ours, environment={**ours.environment, **game})
        return ArenasBench(lambda: ours.start(self._core), self.tokens, seconds)

    def idle(self) -> IdleBench:
        """The measurements of sockets that only answer pings; others send none as ours does."""
        ours = self.contenders[0]
        return IdleBench(lambda: ours.start(self._core), ours.port, self.tokens)

    def rush(self) -> RushBench:
        """The measurements of thousands who come at once."""
        return RushBench(lambda: self.contenders[0].start(self._core), self.tokens)

    def relay(self) -> RelayBench:
        """The measurements of relayed matches on an open schedule."""
        ours = self.contenders[0]

        def start(settings: dict[str, str]) -> ServerProcess:
            return replace(ours, environment={**ours.environment, **settings}).start(self._core)

        return RelayBench(start, ours.port, self.tokens, self._join)

    async def run(self, contender: Contender, scenario: Scenario) -> float:
        with contender.start(self._core) as server:
            return await scenario(server, contender.port(server.ready_line))

    async def _join(self, client: Client, name: str) -> tuple[str, object]:
        client.kept = b""
        client.send({"cid": "1", "match_create": {"name": name}})
        while True:
            for message in client.messages():
                if isinstance(match := message.get("match"), dict):
                    return str(match["match_id"]), match["self"]
            await asyncio.sleep(0.001)

    async def _echo(
        self, server: ServerProcess, clients: list[Client], message: Callable[[Client], object]
    ) -> float:
        await quiet(clients)
        clients[0].kept = b""
        clients[0].send(message(clients[0]))
        await quiet(clients)
        load = Echo(clients, message, len(clients[0].kept))
        window = await measure(lambda: load.answers, server.cpu_s, self._warm_s, self._for_s)
        reset(clients)
        return window.cpu_us


def node_installed() -> bool:
    """Whether the contenders under Node can take part; where npm cannot install them, they do not."""
    try:
        install_packages(NODE_FOLDER)
    except PackagesMissing as missing:
        say(f"without Node: {missing}")
        return False
    return True


def scenarios(bench: Bench) -> dict[str, Scenario]:
    def rooms(size: int, senders: int) -> Scenario:
        return lambda server, port: bench.fan_out(server, port, size, senders)

    return {
        "heartbeat echoed, CPU us": bench.echo,
        "match data echoed, CPU us": bench.routed_echo,
        "delivery, rooms of 10, 1 sends, CPU us": rooms(10, 1),
        "delivery, rooms of 10, all send, CPU us": rooms(10, 10),
        "delivery, rooms of 100, 1 sends, CPU us": rooms(100, 1),
        "delivery, rooms of 100, 10 send, CPU us": rooms(100, 10),
        f"idle socket at {IDLE}, KiB": bench.idle_memory,
        "connects per CPU second": bench.connects,
    }


async def main(options: argparse.Namespace, postgres: Postgres | None) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    results: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        with_node = node_installed()
        bench = Bench(Path(folder), cores[-1], options.warm, options.seconds, with_node=with_node)
        names = [contender.name for contender in bench.contenders]
        chosen = {name: run for name, run in scenarios(bench).items() if options.only in name}
        verifier = [str(NODE), str(NODE_FOLDER / "verify.mjs")] if with_node else None
        wanted = options.only in LOGIN_ROWS
        logins = LoginBench(cores[-1], options.seconds, verifier, postgres) if wanted else None
        arrivals = ArrivalBench(cores[-1]) if options.only in ARRIVAL_ROWS else None
        tokens = TokenBench(cores[-1], options.seconds) if options.only in TOKEN_ROWS else None
        codec = CodecBench(cores[-1], options.seconds) if options.only in CODEC_ROWS else None
        swarm = SwarmBench(cores[-1]) if options.only in SWARM_ROWS else None
        followers = FollowerBench() if options.only in FOLLOWER_ROWS else None
        matchmaker = MatchmakerBench(cores[-1]) if options.only in MATCHMAKER_ROWS else None
        start = StartBench(cores[-1]) if options.only in START_ROWS else None
        for turn in range(options.rounds):
            for scenario, run in chosen.items():
                for contender in bench.contenders:
                    value = await bench.run(contender, run)
                    results.setdefault(scenario, {}).setdefault(contender.name, []).append(value)
                    say(f"round {turn + 1}  {scenario:42} {contender.name:12} {value:10.2f}")
            if followers is not None:
                await bench.followers(followers)
            if logins is not None:
                await logins.round()
            if arrivals is not None:
                await arrivals.round()
            if tokens is not None:
                await tokens.round()
            if codec is not None:
                await codec.round()
            if swarm is not None:
                await swarm.round()
            if matchmaker is not None:
                await matchmaker.round()
            if start is not None:
                await asyncio.to_thread(start.round)
        arenas = bench.arenas(options.seconds) if options.only in ARENA_ROWS else None
        if arenas is not None:
            await arenas.run()
        idle = bench.idle() if options.only in IDLE_ROWS else None
        if idle is not None:
            await idle.run()
        relay = bench.relay() if options.only in RELAY_ROWS else None
        if relay is not None:
            await relay.run()
        rush = bench.rush() if options.only in RUSH_ROWS else None
        if rush is not None:
            await rush.run()
    say(f"\n{platform.platform()}, {cpu_model()}, Python {platform.python_version()}")
    say(f"server on core {cores[-1]}, load on core {cores[0]}")
    say(f"median of {options.rounds} rounds of {options.seconds} s; x is the multiple of {names[0]}\n")
    if results:
        say(table(results, names))
    for part in (
        *(followers, logins, arrivals, tokens, codec, swarm, matchmaker, start),
        *(arenas, idle, relay, rush),
    ):
        if part is not None:
            say(f"\n{part.report()}")


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "CPU unknown")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a measurement")
    parser.add_argument("--warm", type=float, default=0.5, help="warm-up before it")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    chosen_options = parser.parse_args()
    with ExitStack() as beside:
        server = None
        if chosen_options.only in LOGIN_ROWS:
            with suppress(PostgresMissing):
                server = beside.enter_context(running_postgres(durable=True))
        uvloop.run(main(chosen_options, server))
