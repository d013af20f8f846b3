"""Asking when logins end: many at once, one question at a time, and nobody told by a failure."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from structlog.testing import capture_logs

from server.sessions import family_checks
from server.sessions.family_checks import BATCH, FamilyChecks
from server.tasks import TaskOwner
from tests.support.clock import ManualClock
from tests.support.seats import FamilyEnds


class Asked:
    """Checks, who they ask, and what they told."""

    def __init__(self, families: FamilyEnds | None = None) -> None:
        self.clock = ManualClock()
        self.families = families or FamilyEnds()
        self.told: list[tuple[str, int | None]] = []
        self.tasks = TaskOwner("test")
        self.checks = FamilyChecks(
            self.families, self.tasks, self.clock, lambda session, end: self.told.append((session, end))
        )

    async def sweep(self) -> None:
        self.checks.sweep()
        await self.tasks.idle()


async def test_who_waits_is_told_when_its_login_ends_and_who_has_none_that_it_is_over() -> None:
    asked = Asked()
    asked.families.until = {"f": 9}
    asked.checks.add("a", "f")
    asked.checks.add("b", "gone")
    asked.checks.add("c", "f")

    await asked.sweep()
    await asked.sweep()

    assert asked.told == [("a", 9), ("b", None), ("c", 9)]
    assert asked.families.asked == [["f", "gone"]]
    assert len(asked.checks) == 0


async def test_many_are_asked_for_in_few_questions() -> None:
    asked = Asked()
    for number in range(2 * BATCH + 1):
        asked.checks.add(str(number), f"family {number}")

    await asked.sweep()

    assert [len(question) for question in asked.families.asked] == [BATCH, BATCH, 1]
    assert len(asked.told) == 2 * BATCH + 1


async def test_a_failure_tells_nobody_and_is_tried_again_later_and_later() -> None:
    asked = Asked()
    asked.families.failure = ConnectionRefusedError("secret")
    asked.checks.add("a", "f")
    waits = []

    with capture_logs() as logs:
        for _ in range(7):
            await asked.sweep()
            before, asked_before = asked.clock.monotonic(), len(asked.families.asked)
            while len(asked.families.asked) == asked_before:
                asked.clock.advance(0.5)
                await asked.sweep()
            waits.append(asked.clock.monotonic() - before)

    assert waits[:5] == [2, 4, 8, 16, 30]
    assert set(waits[5:]) == {30}
    assert asked.told == []
    assert asked.checks.failed == len(asked.families.asked)
    assert {line["error"] for line in logs} == {"ConnectionRefusedError"}
    assert "secret" not in str(logs)


async def test_after_a_success_the_first_failure_waits_shortly_again() -> None:
    asked = Asked()
    for failure in (OSError(), OSError(), None, OSError()):
        asked.families.failure = failure
        asked.checks.add("a", "f")
        asked.clock.advance(100)
        await asked.sweep()

    asked.families.failure = None
    asked.clock.advance(1.9)
    await asked.sweep()
    assert len(asked.told) == 1
    asked.clock.advance(0.1)
    await asked.sweep()
    assert len(asked.told) == 2


async def test_one_who_left_is_not_told_and_not_asked_for_again() -> None:
    asked = Asked()
    asked.families.failure = OSError()
    asked.checks.add("a", "f")
    asked.checks.add("b", "g")
    await asked.sweep()

    asked.checks.forget("a")
    asked.checks.forget("a")
    asked.families.failure = None
    asked.clock.advance(2)
    await asked.sweep()

    assert asked.families.asked[-1] == ["g"]
    assert asked.told == [("b", None)]


class Hanging(FamilyEnds):
    """Answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def ends(self, family_ids: Sequence[str]) -> Mapping[str, int]:
        answer = await super().ends(family_ids)
        await self.go.wait()
        return answer


async def test_while_one_question_is_open_no_other_is_asked_and_the_late_ones_are_not_lost() -> None:
    families = Hanging()
    asked = Asked(families)
    asked.checks.add("a", "f")
    asked.checks.sweep()
    await asyncio.sleep(0)

    asked.checks.add("b", "g")
    asked.checks.sweep()
    asked.checks.forget("a")
    await asyncio.sleep(0)
    assert families.asked == [["f"]]
    families.go.set()
    await asked.tasks.idle()

    assert families.asked == [["f"], ["g"]]
    assert asked.told == [("b", None)]


async def test_a_question_without_an_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(family_checks, "LIMIT_S", 0.0)
    asked = Asked(Hanging())
    asked.checks.add("a", "f")

    with capture_logs() as logs:
        await asked.sweep()

    assert (asked.told, asked.checks.failed, len(asked.checks)) == ([], 1, 1)
    assert logs[0]["error"] == "TimeoutError"
