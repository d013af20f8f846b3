"""The frame by which game code is known."""

import asyncio
import sys
from types import FrameType

from server.runtime.guard import Subject, guard_of, guarded, guarded_wait, subject_of

OUTER, INNER = Subject("rpc", name="outer"), Subject("Duel", "match-1")


def here() -> FrameType:
    return sys._getframe(1)


def subjects() -> list[Subject]:
    """Whose code runs, the innermost first."""
    found, frame = [], guard_of(here())
    while frame is not None:
        found.append(subject_of(frame))
        frame = guard_of(frame.f_back)
    return found


def test_a_guard_returns_what_is_called_with_what_it_was_given() -> None:
    assert guarded(INNER, divmod, 7, 2) == (3, 1)


def test_outside_of_game_code_there_is_no_guard() -> None:
    assert subjects() == []
    assert guard_of(None) is None


def test_the_innermost_guard_says_whose_code_runs() -> None:
    assert guarded(OUTER, lambda: guarded(INNER, lambda: subjects())) == [INNER, OUTER]


async def test_code_that_waits_is_under_its_guard_in_each_step_and_never_between() -> None:
    async def work() -> list[list[Subject]]:
        before = subjects()
        await asyncio.sleep(0)
        return [before, subjects()]

    between: list[list[Subject]] = []
    asyncio.get_running_loop().call_soon(lambda: between.append(subjects()))

    assert await guarded_wait(OUTER, work()) == [[OUTER], [OUTER]]
    assert between == [[]]
