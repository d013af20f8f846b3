"""A soak with a server of its own: its keys, its settings, its log."""

import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import uvloop

from server.clock import SystemClock
from server.identity.key_file import KeyFile
from server.identity.revocation import Revocations
from server.identity.tokens import Lifetimes, Subject, Tokens
from server.ids import RandomIds
from tests.bench.followers import account_of
from tests.bench.process import ServerProcess
from tests.soak.crowd import Crowd
from tests.soak.plan import Plan
from tests.soak.report import faults, report
from tests.soak.run import Soak
from tests.soak.watch import Log

TOKEN_S = 86_400


def mint(keys: Path, players: int) -> list[str]:
    """Session tokens of the server whose keys are in this file, which is made if missing."""
    clock = SystemClock()
    ring = KeyFile(keys).open(RandomIds("soak"), clock.wall())
    tokens = Tokens(ring, Lifetimes(TOKEN_S, TOKEN_S, TOKEN_S), Revocations(clock), clock)
    now = int(clock.wall())
    terms = tokens.terms(now, now + TOKEN_S)
    subjects = (
        Subject(account_of(number), f"player{number:05}", account_of(number), {}, now)
        for number in range(players)
    )
    return [tokens.mint(subject, terms).token for subject in subjects]


def soaked(
    plan: Plan, folder: Path, core: int, say: Callable[[str], None], line_s: float = 10.0
) -> list[str]:
    """Soak a server on this core with its data in `folder`; tell what came of it, return what must not be."""
    environment = {
        **plan.environment(),
        "LOCKGATE_DATA_DIR": str(folder),
        "LOCKGATE_SESSION__KEY_FILE": str(folder / "keys.json"),
        "LOCKGATE_STORAGE__URL": f"sqlite:///{folder}/soak.db",
        "LOCKGATE_LISTEN__PUBLIC": "127.0.0.1:0",
        "LOCKGATE_LISTEN__OPS": "127.0.0.1:0",
        "LOCKGATE_LOG__FORMAT": "json",
    }
    tokens = mint(folder / "keys.json", plan.players)
    errors = folder / "errors.txt"
    command = [sys.executable, "-m", "server", "serve"]
    with ServerProcess(command, "server_ready", core, environment, errors) as server:
        ready = orjson.loads(server.ready_line)

        async def live() -> tuple[Soak, Crowd]:
            crowd = Crowd(plan, int(ready["public"].rpartition(":")[2]), tokens)
            soak = Soak(crowd, server, ready["ops"], say, line_s)
            await soak.run()
            return soak, crowd

        soak, crowd = uvloop.run(live())
        status = server.stop()
        log = Log(server.log, errors)
    for line in report(soak, crowd, log):
        say(line)
    found = faults(soak, crowd, log)
    return found if status == 0 else [*found, f"the server ended with status {status}"]
