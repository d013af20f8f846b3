"""The search for the largest load, against servers whose capacity is known."""

import math
from collections.abc import Callable
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.capacity import Capacity, Trial, answer, search, text
from loadtest.failures import SwarmError
from loadtest.result import Result, Truth
from tests.support.swarm_results import honesty, result

PASSED = result(verdict="passed")
FAILED = result(verdict="failed", truth=Truth(lost=3))
INVALID = result(verdict="invalid", honesty=honesty("late"))


class Server:
    """Holds as many players as it can; the swarm is up to its own limit."""

    def __init__(self, holds: int, swarm: int = 10**9, chance: Callable[[int], bool] | None = None) -> None:
        self.asked: list[int] = []
        self._holds = holds
        self._swarm = swarm
        self._chance = chance

    async def run(self, players: int) -> Result:
        self.asked.append(players)
        if players > self._swarm:
            return INVALID
        held = players <= self._holds if self._chance is None else self._chance(players)
        return PASSED if held else FAILED


@pytest.mark.parametrize("holds", [100, 101, 777, 1600, 4999, 31_415])
async def test_the_largest_load_is_found_to_the_resolution(holds: int) -> None:
    server = Server(holds)

    found = await search(server.run, start=100, ceiling=100_000, resolution=0.01)

    assert found.bounded_by == "server"
    assert holds * 0.99 - 1 <= found.players <= holds
    assert server.asked.count(found.players) == 2


def most_runs(start: int, ceiling: int, step: int = 1, resolution: float = 0.05, confirm: int = 1) -> int:
    """How many runs a search may make."""
    doubling = math.ceil(math.log2(max(1.0, ceiling / start))) + 2
    halving = math.ceil(math.log2(max(ceiling / step, 1 / resolution))) + 2
    confirming = (halving + 1) * (confirm + 1)
    return 2 * (doubling + halving + confirming)


@given(
    holds=st.integers(0, 5000),
    swarm=st.integers(0, 5000),
    start=st.integers(1, 3000),
    more=st.integers(0, 5000),
    step=st.integers(1, 50),
    resolution=st.floats(0.001, 0.5),
    confirm=st.integers(0, 3),
)
async def test_any_search_ends_soon_with_loads_that_are_whole_and_an_answer_that_held(
    holds: int, swarm: int, start: int, more: int, step: int, resolution: float, confirm: int
) -> None:
    server = Server(holds, swarm)
    ceiling = max(start + more, step)

    found = await search(server.run, start, ceiling, step, resolution, confirm)

    assert len(found.tried) == len(server.asked) <= most_runs(start, ceiling, step, resolution, confirm)
    assert all(asked % step == 0 and 0 < asked <= ceiling for asked in server.asked)
    assert found.players <= min(holds, swarm, ceiling)
    limit = min(holds, swarm, ceiling)
    assert found.players >= (limit - step) * (1 - resolution) - step
    if found.players:
        assert sum(trial.players == found.players for trial in found.tried) == confirm + 1


@given(
    random=st.randoms(use_true_random=False),
    start=st.integers(1, 3000),
    more=st.integers(0, 10**6),
    step=st.integers(1, 50),
    resolution=st.floats(0.001, 0.9),
    confirm=st.integers(0, 3),
)
async def test_also_against_pure_chance_a_search_ends_soon(
    random: Random, start: int, more: int, step: int, resolution: float, confirm: int
) -> None:
    async def run(players: int) -> Result:
        return random.choice([PASSED, PASSED, PASSED, FAILED, INVALID])

    ceiling = max(start + more, step)

    found = await search(run, start, ceiling, step, resolution, confirm)

    assert len(found.tried) <= most_runs(start, ceiling, step, resolution, confirm)
    held = sum((trial.players, trial.verdict) == (found.players, "passed") for trial in found.tried)
    assert found.players == 0 or held > confirm


async def test_loads_are_whole_matches() -> None:
    server = Server(holds=137)

    found = await search(server.run, start=15, ceiling=1000, step=10)

    assert found.players == 130
    assert server.asked[:4] == [20, 40, 80, 160]


async def test_a_server_that_holds_all_is_bounded_by_the_ceiling() -> None:
    server = Server(holds=10**9)

    found = await search(server.run, start=100, ceiling=1000)

    assert (found.players, found.bounded_by) == (1000, "ceiling")
    assert server.asked == [100, 200, 400, 800, 1000, 1000]


async def test_a_start_that_is_too_high_is_searched_below() -> None:
    found = await search(Server(holds=7).run, start=1000, ceiling=10_000)

    assert (found.players, found.bounded_by) == (7, "server")


async def test_a_server_that_holds_nobody_is_told() -> None:
    server = Server(holds=0)

    found = await search(server.run, start=64, ceiling=1000)

    assert (found.players, found.bounded_by) == (0, "nothing held")
    assert server.asked == [64, 32, 16, 8, 4, 2, 1]


async def test_beyond_what_the_swarm_can_the_answer_is_a_lower_bound() -> None:
    server = Server(holds=10**9, swarm=700)

    found = await search(server.run, start=100, ceiling=10_000)

    assert found.bounded_by == "swarm"
    assert 665 <= found.players <= 700
    assert server.asked.count(800) == 2
    assert answer(found).startswith(f"at least {found.players} players")


async def test_a_server_that_gives_up_before_the_swarm_is_what_bounds() -> None:
    found = await search(Server(holds=500, swarm=700).run, start=100, ceiling=10_000)

    assert found.bounded_by == "server"
    assert 475 <= found.players <= 500


async def test_an_invalid_run_is_made_once_more_before_it_counts() -> None:
    answers = iter([PASSED, INVALID, PASSED, PASSED])

    async def run(players: int) -> Result:
        return next(answers)

    found = await search(run, start=100, ceiling=200)

    assert [(trial.players, trial.verdict) for trial in found.tried] == [
        (100, "passed"),
        (200, "invalid"),
        (200, "passed"),
        (200, "passed"),
    ]
    assert (found.players, found.bounded_by) == (200, "ceiling")


async def test_a_swarm_that_can_do_nothing_has_no_answer() -> None:
    found = await search(Server(holds=10**9, swarm=0).run, start=4, ceiling=100)

    assert (found.players, found.bounded_by) == (0, "swarm")
    assert "no answer" in answer(found)


async def test_an_answer_that_does_not_hold_again_is_stepped_down_from() -> None:
    lucky = iter([True])

    def chance(players: int) -> bool:
        return players <= 100 or (players <= 125 and next(lucky, False))

    server = Server(0, chance=chance)

    found = await search(server.run, start=100, ceiling=1000, resolution=0.04)

    assert found.players <= 100
    assert found.bounded_by == "server"
    assert server.asked.count(125) == 2
    assert server.asked.count(found.players) == 2


async def test_stepping_down_does_not_pass_by_a_load_that_held() -> None:
    once: set[int] = set()

    def chance(players: int) -> bool:
        fresh = players not in once
        once.add(players)
        return players <= 2 or (fresh and players in (4, 8, 16))

    found = await search(Server(0, chance=chance).run, start=1, ceiling=16)

    assert (found.players, found.bounded_by) == (2, "server")


async def test_a_coarse_answer_needs_fewer_runs() -> None:
    fine, coarse = Server(holds=7777), Server(holds=7777)

    await search(fine.run, start=1000, ceiling=100_000, resolution=0.001)
    found = await search(coarse.run, start=1000, ceiling=100_000, resolution=0.25)

    assert 7777 * 0.75 <= found.players <= 7777
    assert coarse.asked == [1000, 2000, 4000, 8000, 6000, 6000]
    assert len(fine.asked) > len(coarse.asked) + 5


async def test_the_ceiling_is_no_bound_if_it_did_not_hold_again() -> None:
    answers = iter([PASSED, FAILED])

    async def run(players: int) -> Result:
        return next(answers, PASSED)

    found = await search(run, start=1000, ceiling=1000)

    assert (found.players, found.bounded_by) == (950, "server")


@pytest.mark.parametrize("seed", range(20))
async def test_a_noisy_server_gets_an_answer_that_it_mostly_holds(seed: int) -> None:
    random = Random(seed)

    def chance(players: int) -> bool:
        return players <= random.gauss(1000, 50)

    server = Server(0, chance=chance)

    found = await search(server.run, start=100, ceiling=100_000, confirm=2)

    assert 700 <= found.players <= 1060
    assert len(server.asked) <= most_runs(100, 100_000, confirm=2)


async def test_without_confirmation_no_load_is_run_twice() -> None:
    server = Server(holds=777)

    await search(server.run, start=100, ceiling=10_000, confirm=0)

    assert len(set(server.asked)) == len(server.asked)


async def test_each_run_is_told_as_it_comes() -> None:
    heard: list[Trial] = []

    found = await search(Server(holds=3).run, start=1, ceiling=8, tell=heard.append)

    assert heard == found.tried
    assert next(trial.reasons for trial in heard if trial.verdict == "failed") == ["lost: 3"]


async def test_a_run_that_cannot_be_made_ends_the_search_and_tells_what_was_found() -> None:
    async def run(players: int) -> Result:
        if players > 200:
            raise SwarmError("too few open files")
        return PASSED

    with pytest.raises(SwarmError, match=r"too few open files; .* 2 runs.* up to 200 players held"):
        await search(run, start=100, ceiling=1000)


@pytest.mark.parametrize(
    ("start", "ceiling", "step", "resolution", "confirm"),
    [
        (0, 10, 1, 0.1, 1),
        (1, 10, 0, 0.1, 1),
        (11, 10, 1, 0.1, 1),
        (1, 10, 20, 0.1, 1),
        (1, 10, 1, 0.0, 1),
        (1, 10, 1, 1.0, 1),
        (1, 10, 1, 0.1, -1),
    ],
)
async def test_bounds_that_make_no_sense_are_refused_before_the_first_run(
    start: int, ceiling: int, step: int, resolution: float, confirm: int
) -> None:
    server = Server(holds=5)

    with pytest.raises(SwarmError):
        await search(server.run, start, ceiling, step, resolution, confirm)

    assert server.asked == []


def test_the_search_is_told_run_by_run() -> None:
    tried = [
        Trial(players=1000, verdict="passed", reasons=[]),
        Trial(players=2000, verdict="failed", reasons=["lost: 3", "error: 503 (1 times)"]),
    ]

    told = text(Capacity(players=1000, bounded_by="server", tried=tried))

    assert told.splitlines() == [
        "    1,000 players  holds",
        "    2,000 players  failed  lost: 3; error: 503 (1 times)",
        "1,000 players hold; with more the server does not",
    ]


@pytest.mark.parametrize(
    ("bounded_by", "said"),
    [("ceiling", "at least 5 players hold: no more were asked for"), ("nothing held", "no load held")],
)
def test_each_end_has_its_sentence(bounded_by: str, said: str) -> None:
    capacity = msgspec.convert({"players": 5, "bounded_by": bounded_by, "tried": []}, Capacity)

    assert answer(capacity) == said
