"""Workers stay off the server's processors where those are known, and go where they are sent."""

import os

import pytest

from loadtest.pinning import allowed, choose, lent, tell
from loadtest.plan import Plan


@pytest.mark.parametrize(
    ("asked", "own", "server", "chosen"),
    [
        ([], [0, 1, 2, 3], [], []),
        ([], [0, 1, 2, 3], [0], [1, 2, 3]),
        ([], [0, 1], [0, 1], []),
        ([], [0], [0], []),
        ([], [0, 1], [5], [0, 1]),
        ([3], [0, 1, 2, 3], [0], [3]),
        ([0, 0], [0, 1], [0], [0, 0]),
    ],
    ids=["no server", "apart", "server everywhere", "one only", "other", "asked", "asked the same"],
)
def test_the_choice(asked: list[int], own: list[int], server: list[int], chosen: list[int]) -> None:
    assert choose(Plan(pin=asked), own, server) == chosen


@pytest.mark.parametrize(
    ("workers", "own", "cpus"),
    [(2, {7, 4, 5}, [4, 5]), (9, {3, 1}, [1, 3]), (1, {1}, [1]), (0, {0, 1}, []), (-1, {0, 1}, [])],
)
def test_an_agent_lends_processors_that_it_may_use(workers: int, own: set[int], cpus: list[int]) -> None:
    assert lent(workers, own) == cpus


def test_where_nobody_knows_an_agent_lends_from_the_first_one_on() -> None:
    assert lent(1, set()) == [0]


def test_the_result_says_who_was_where() -> None:
    assert tell([2, 1, 1], [0, 1, 2], [0]) == "workers are pinned to 1, 2, the server may use 0"
    assert tell([], [0, 1], [0, 1]) == "workers may use 0, 1, the server may use 0, 1"
    assert tell([], [], []) == "workers may use any"


def test_processors_of_a_process_are_read_from_the_system() -> None:
    assert allowed(os.getpid()) == os.sched_getaffinity(0)
    assert allowed(2**30) == set()
