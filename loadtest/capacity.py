"""The largest load that holds: doubled until one does not, halved in between, and confirmed.

A load holds when its run passes. An invalid run is not a load that does not hold: it is made once more, and
if it stays invalid the answer is only a lower bound, because beyond it the swarm was the bottleneck. What a
run is, and how long it takes, is the caller's matter; there are few of them.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import msgspec

from loadtest.failures import SwarmError
from loadtest.result import Result
from loadtest.verdict import why

Run = Callable[[int], Awaitable[Result]]
"""Makes a judged run with this many players."""
Bound = Literal["server", "swarm", "ceiling", "nothing held"]

MAX_REASONS: Final = 5


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the search."""

    players: int
    verdict: str
    reasons: list[str]
    """Why it did not pass."""


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: `players` hold, 0 if nothing did."""

    players: int
    bounded_by: Bound
    """What stood in the way of more: by `swarm` and `ceiling`, the server may hold more."""
    tried: list[Trial]


async def search(
    run: Run,
    start: int,
    ceiling: int,
    step: int = 1,
    resolution: float = 0.05,
    confirm: int = 1,
    tell: Callable[[Trial], None] | None = None,
) -> Capacity:
    """Search between nothing and `ceiling`; loads are multiples of `step`. `tell` hears of each run.

    The answer is good to `resolution` (a share of it), and has held `confirm` times more than once. Raises
    SwarmError for bounds that make no sense, and when a run cannot be made; what was found by then is told.
    """
    _check(start, ceiling, step, resolution, confirm)
    seeker = _Search(run, step, resolution, tell)
    try:
        players = await seeker.narrow(math.ceil(start / step), ceiling // step)
        players = await seeker.settle(players, confirm)
    except SwarmError as error:
        raise SwarmError(f"{error}; {_so_far(seeker.tried)}") from error
    bounded_by: Bound = seeker.bounded_by if players else seeker.bounded_by_at_nothing()
    return Capacity(players=players * step, bounded_by=bounded_by, tried=seeker.tried)


def text(capacity: Capacity) -> str:
    """For people: each run, and the answer."""
    lines = [_line(trial) for trial in capacity.tried]
    return "\n".join([*lines, answer(capacity)])


def answer(capacity: Capacity) -> str:
    """In one sentence."""
    players = f"{capacity.players:,} players"
    match capacity.bounded_by:
        case "server":
            return f"{players} hold; with more the server does not"
        case "swarm" if capacity.players:
            return f"at least {players} hold: beyond it the swarm was the bottleneck"
        case "swarm":
            return "no answer: the swarm was the bottleneck at every load that was tried"
        case "ceiling":
            return f"at least {players} hold: no more were asked for"
        case "nothing held":
            return "no load held"


class _Search:
    """Loads are counted in steps here."""

    def __init__(self, run: Run, step: int, resolution: float, tell: Callable[[Trial], None] | None) -> None:
        self._run = run
        self._step = step
        self._resolution = resolution
        self._tell = tell
        self._held: dict[int, int] = {}
        """How often each load has held."""
        self.tried: list[Trial] = []
        self.bounded_by: Bound = "ceiling"

    async def narrow(self, start: int, ceiling: int) -> int:
        """Double, then halve what lies between the largest that held and the smallest that did not."""
        low, high = 0, min(start, ceiling)
        while await self._holds(high):
            low = high
            if low == ceiling:
                return low
            high = min(2 * low, ceiling)
        while high - low > self._grain(high):
            middle = (low + high) // 2
            if await self._holds(middle):
                low = middle
            else:
                high = middle
        return low

    async def settle(self, load: int, confirm: int) -> int:
        """Down from here, in growing steps, to a load that has held `confirm` times more than once."""
        down = self._grain(load)
        while load > 0:
            while self._held.get(load, 0) <= confirm:
                if not await self._holds(load):
                    break
            else:
                return load
            held_below = max((held for held in self._held if held < load), default=0)
            load, down = max(load - down, held_below), 2 * down
        return 0

    def bounded_by_at_nothing(self) -> Bound:
        """Nothing held: was it ever the server's doing?"""
        return "swarm" if all(trial.verdict == "invalid" for trial in self.tried) else "nothing held"

    async def _holds(self, load: int) -> bool:
        verdict = await self._try(load)
        if verdict == "invalid":
            verdict = await self._try(load)
        if verdict == "passed":
            self._held[load] = self._held.get(load, 0) + 1
            return True
        self.bounded_by = "swarm" if verdict == "invalid" else "server"
        return False

    async def _try(self, load: int) -> str:
        players = load * self._step
        result = await self._run(players)
        trial = Trial(players=players, verdict=result.verdict, reasons=why(result)[:MAX_REASONS])
        self.tried.append(trial)
        if self._tell is not None:
            self._tell(trial)
        return result.verdict

    def _grain(self, load: int) -> int:
        return max(1, math.floor(self._resolution * load))


def _check(start: int, ceiling: int, step: int, resolution: float, confirm: int) -> None:
    if step < 1 or start < 1 or confirm < 0:
        raise SwarmError(
            "a search needs a start and a step of one player or more, and no negative confirmations"
        )
    if ceiling < start or ceiling < step:
        raise SwarmError(f"a search up to {ceiling} players leaves no room above {max(start, step)}")
    if not 0 < resolution < 1:
        raise SwarmError(f"a resolution is a share between 0 and 1, not {resolution}")


def _line(trial: Trial) -> str:
    said = "holds" if trial.verdict == "passed" else trial.verdict
    return f"{trial.players:>9,} players  {said:<8}{'; '.join(trial.reasons)}".rstrip()


def _so_far(tried: list[Trial]) -> str:
    held = max((trial.players for trial in tried if trial.verdict == "passed"), default=0)
    return f"the search broke off after {len(tried)} runs, in which up to {held:,} players held"
