"""Work by key: one after the other, to its end, and only so much."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from protocol.errors import ErrorCode, RequestError
from server.storage.failures import Reason, StorageUnavailable
from server.talk.in_turn import InTurn
from server.tasks import TaskOwner


@pytest.fixture
async def tasks() -> AsyncIterator[TaskOwner]:
    owner = TaskOwner("test")
    yield owner
    await owner.cancel_all()


class Gates:
    """Pieces of work that wait until they are let go, and note when they begin and end."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    async def work(self, name: str) -> str:
        self.notes.append(f"{name} begins")
        await self._gates.setdefault(name, asyncio.Event()).wait()
        self.notes.append(f"{name} ends")
        return name

    def let_go(self, name: str) -> None:
        self._gates.setdefault(name, asyncio.Event()).set()


async def turns_of_the_loop() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_work_of_one_key_waits_and_of_another_does_not(tasks: TaskOwner) -> None:
    in_turn, gates = InTurn(tasks), Gates()
    first = tasks.spawn("ask", in_turn.do("a", gates.work("first")))
    second = tasks.spawn("ask", in_turn.do("a", gates.work("second")))
    other = tasks.spawn("ask", in_turn.do("b", gates.work("other")))
    await turns_of_the_loop()

    assert gates.notes == ["first begins", "other begins"]
    gates.let_go("second")
    gates.let_go("other")
    assert await other == "other"
    gates.let_go("first")

    assert (await first, await second) == ("first", "second")
    assert gates.notes[-3:] == ["first ends", "second begins", "second ends"]
    assert in_turn.waiting == 0


async def test_work_goes_on_without_who_asked_for_it(tasks: TaskOwner) -> None:
    in_turn, gates = InTurn(tasks), Gates()
    asked = tasks.spawn("ask", in_turn.do("a", gates.work("it")))
    await turns_of_the_loop()

    asked.cancel()
    gates.let_go("it")
    await tasks.idle()

    assert asked.cancelled()
    assert gates.notes == ["it begins", "it ends"]
    assert in_turn.waiting == 0


async def test_a_refusal_reaches_who_asked_and_ends_nobody_elses_turn(tasks: TaskOwner) -> None:
    in_turn = InTurn(tasks)

    async def refuse() -> None:
        raise RequestError(ErrorCode.BAD_INPUT, "no")

    async def agree() -> str:
        return "yes"

    refused, agreed = await asyncio.gather(
        in_turn.do("a", refuse()), in_turn.do("a", agree()), return_exceptions=True
    )

    assert isinstance(refused, RequestError)
    assert agreed == "yes"


async def test_too_much_is_refused_and_counted(tasks: TaskOwner) -> None:
    in_turn, gates = InTurn(tasks, limit=2), Gates()
    waiting = [tasks.spawn("ask", in_turn.do("a", gates.work(name))) for name in ("one", "two")]
    await turns_of_the_loop()

    with pytest.raises(StorageUnavailable) as refused:
        await in_turn.do("b", gates.work("three"))

    assert refused.value.reason is Reason.CROWDED
    assert (in_turn.waiting, in_turn.refused) == (2, 1)
    gates.let_go("one")
    gates.let_go("two")
    await asyncio.gather(*waiting)
    gates.let_go("four")
    assert await in_turn.do("b", gates.work("four")) == "four"


async def test_the_end_of_the_process_leaves_nothing_behind(tasks: TaskOwner) -> None:
    in_turn, gates = InTurn(tasks), Gates()
    callers = TaskOwner("callers")
    asked = [callers.spawn("ask", in_turn.do("a", gates.work(name))) for name in ("one", "two")]
    await asyncio.sleep(0)

    await tasks.cancel_all()

    assert all(
        isinstance(each, asyncio.CancelledError)
        for each in await asyncio.gather(*asked, return_exceptions=True)
    )
    assert in_turn.waiting == 0
