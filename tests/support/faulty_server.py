"""The real server with one fault planted: `python -m tests.support.faulty_server FAULT serve --dev ...`.

FAULT is `NAME[:EVERY[:AFTER]]`: it strikes at every EVERY-th occasion (as a rule, what was said in a match,
a party or a channel, for one receiver) behind the first AFTER ones; or `freeze:PERIOD:FOR`, in seconds. The
log tells `fault_struck` with the count so far, the last time when the server stops, and `froze` for each
freeze.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.support import planted_deliveries, planted_sockets
from tests.support.faults import Fault, Planting, follow
from tests.support.running import RunningServer, running_server

PLANTED: Final = planted_deliveries.PLANTED | planted_sockets.PLANTED
FAULTS: Final = (*PLANTED, "freeze")
"""The names of all faults."""
EVERY: Final = {
    "two_sockets": 1,
    "two_sockets_silent": 1,
    "refuse": 3,
    "presence_lost": 10,
    "crash": 1000,
}
"""How often faults strike that are not told how often."""
EVERY_DELIVERY: Final = 101
"""The same for all others. A prime, so that in a room of any size all receivers have their turn."""


@contextmanager
def planted(text: str) -> Iterator[Fault]:
    """Plant a fault in the servers that are started in this process. Raises ValueError for none of ours."""
    fault, plant = _read(text)
    with Planting() as planting:
        follow(fault, planting)
        plant(fault, planting)
        yield fault


def faulty_server(
    folder: Path, fault: str, *flags: str, environment: dict[str, str] | None = None
) -> AbstractContextManager[RunningServer]:
    """`running_server` with a fault, in a process of its own."""
    program = ("tests.support.faulty_server", fault)
    return running_server(folder, *flags, environment=environment, program=program)


def struck(server: RunningServer) -> int:
    """How often the fault has struck, as far as was told; behind the end of the server, that is all."""
    return max((event["struck"] for event in server.events if event["event"] == "fault_struck"), default=0)


def _read(text: str) -> tuple[Fault, Callable[[Fault, Planting], None]]:
    name, *numbers = text.split(":")
    if name == "freeze" and len(numbers) == 2:
        period_s, for_s = map(float, numbers)
        return Fault(name), partial(planted_sockets.freeze, period_s, for_s)
    if name not in PLANTED or len(numbers) > 2:
        raise ValueError(f"no fault {text!r}, only {', '.join(FAULTS)}")
    every, after = [*map(int, numbers), *(EVERY.get(name, EVERY_DELIVERY), 0)[len(numbers) :]]
    return Fault(name, every, after), PLANTED[name]


def main(arguments: Sequence[str]) -> int:
    """Run the server's command with the fault. Returns the exit status."""
    from server.__main__ import main as run  # late, as it is there

    with ExitStack() as stack:
        try:
            stack.enter_context(planted(arguments[0] if arguments else ""))
        except ValueError as error:
            sys.stderr.write(f"faulty_server: {error}\n")
            return 2
        sys.argv[1:] = arguments[1:]
        return run()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
