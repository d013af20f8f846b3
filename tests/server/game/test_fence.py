"""What nobody waits for is fenced too. Calls that are waited for: `test_remote_calls.py`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import cast

import pytest
from structlog.testing import capture_logs

from server.game.fence import Fence, NoAnswer, Outcome
from server.runtime.api import GameServer, server
from server.runtime.guard import CallbackTimeout, Subject, guard_of, subject_of
from server.tasks import TaskOwner

SECRET = "what-a-player-said"


@pytest.fixture
async def tasks() -> AsyncIterator[TaskOwner]:
    owner = TaskOwner("test")
    yield owner
    await owner.cancel_all()


async def test_a_plain_function_is_called_like_an_async_one(tasks: TaskOwner) -> None:
    fence = Fence("hook", tasks, timeout_s=5, concurrent=1)

    assert await fence.call("f", lambda: 7) == 7
    assert await fence.call("f", lambda: None) is None


async def test_the_code_within_reaches_its_server(tasks: TaskOwner) -> None:
    class Answering:
        async def signal(self, match_id: str, data: str = "") -> str:
            return "answered"

    fence = Fence("hook", tasks, timeout_s=5, concurrent=1)
    fence.server = cast(GameServer, Answering())

    assert await fence.call("f", lambda: server.signal("m")) == "answered"


async def test_what_runs_beside_is_bounded_in_number_and_time(tasks: TaskOwner) -> None:
    fence = Fence("beside", tasks, timeout_s=0.01, concurrent=1)

    with capture_logs() as logged:
        assert fence.start("slow", lambda: asyncio.get_running_loop().create_future())
        assert not fence.start("other", lambda: None)
        await tasks.idle()

    assert [(line["event"], line["name"], line["outcome"]) for line in logged] == [
        ("game_code_gave_no_answer", "other", "full"),
        ("game_code_gave_no_answer", "slow", "late"),
    ]
    assert (fence.outcomes[Outcome.FULL], fence.outcomes[Outcome.LATE]) == (1, 1)


async def test_a_fault_beside_is_counted_and_hurts_nobody(tasks: TaskOwner) -> None:
    fence = Fence("beside", tasks, timeout_s=5, concurrent=1)

    def fail() -> None:
        raise KeyError(SECRET)

    with capture_logs() as logged:
        fence.start("f", fail)
        await tasks.idle()

    assert fence.outcomes[Outcome.FAILED] == 1
    assert SECRET not in repr(logged)


async def test_no_answer_says_how_it_came(tasks: TaskOwner) -> None:
    fence = Fence("hook", tasks, timeout_s=5, concurrent=0)

    with pytest.raises(NoAnswer) as none:
        await fence.call("f", lambda: 7)

    assert none.value.outcome is Outcome.FULL


async def test_a_call_is_announced_and_runs_under_its_guard_whether_it_waits_or_not(tasks: TaskOwner) -> None:
    announced: list[str] = []
    fence = Fence("hook", tasks, timeout_s=5, concurrent=1, on_call=lambda: announced.append("call"))

    def subject() -> Subject | None:
        guard = guard_of(sys._getframe())
        return None if guard is None else subject_of(guard)

    async def later() -> Subject | None:
        await asyncio.sleep(0)
        return subject()

    assert await fence.call("f", subject) == Subject("hook", name="f")
    assert await fence.call("g", later) == Subject("hook", name="g")
    assert announced == ["call", "call"]


async def test_a_call_that_had_to_be_stopped_has_failed(tasks: TaskOwner) -> None:
    fence = Fence("hook", tasks, timeout_s=5, concurrent=1)

    async def stopped() -> None:
        raise CallbackTimeout

    with capture_logs() as logged, pytest.raises(NoAnswer):
        await fence.call("f", stopped)

    assert [(line["event"], line["error"]) for line in logged] == [("game_code_failed", "CallbackTimeout")]
