"""`python -m loadtest`, also reached as `lockgate swarm`.

Exit status: 0 when all went well, 1 when something was lost, doubled, reordered, misdelivered or dropped, 2
when the run could not be made.
"""

import asyncio
import resource
import signal
import sys
from collections.abc import Sequence

import uvloop

from loadtest.failures import SwarmError
from loadtest.options import Options, parse
from loadtest.report import write
from loadtest.swarm import Swarm

SPARE_FILES = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once and report. Returns the exit status."""
    options = parse(arguments)
    try:
        _allow_files(options.players + SPARE_FILES)
        return uvloop.run(_run(options))
    except SwarmError as error:
        sys.stderr.write(f"swarm: {error}\n")
        return 2


async def _run(options: Options) -> int:
    swarm = Swarm(options, _say)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, swarm.stop)
    result = await swarm.run()
    sys.stdout.write("\n" + write(result, options))
    return 0 if result.is_good else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _allow_files(wanted: int) -> None:
    """One descriptor per player. Raises SwarmError when the system does not allow so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SwarmError(f"the system allows {hard} open files, {wanted} are needed (ulimit -n)")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
