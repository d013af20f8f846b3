"""python -m tests.soak: the whole server under thousands of players, some of whom do not behave.

Starts a server with production's limits on the last core and the players on the first. Ends with status 1 if
an honest player was closed or missed anything, if something was left behind, or if the server complained.
"""

import argparse
import os
import resource
import tempfile
from pathlib import Path

from tests.bench.report import say
from tests.soak.plan import Plan
from tests.soak.soaked import soaked


def main() -> int:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--players", type=int, default=usual.players)
    parser.add_argument("--minutes", type=float, default=usual.seconds / 60)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--rate", type=float, default=usual.rate, help="messages a second of each honest one")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    plan = Plan(options.players, options.minutes * 60, options.seed, options.rate)
    with tempfile.TemporaryDirectory() as folder:
        found = soaked(plan, Path(folder), cores[-1], say)
    for fault in found:
        say(f"FAULT: {fault}")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
