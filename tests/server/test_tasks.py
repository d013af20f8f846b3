"""Tasks have a name and an owner; a failure is told, a cancellation is not."""

import asyncio

from structlog.testing import capture_logs

from server.tasks import TaskOwner


async def test_a_task_carries_its_component_and_name_and_gives_its_result() -> None:
    async def work() -> int:
        return 7

    task = TaskOwner("web").spawn("sweep", work())

    assert task.get_name() == "web.sweep"
    assert await task == 7


async def test_a_failure_is_logged_with_the_name_of_its_task() -> None:
    async def work() -> None:
        raise ValueError("broken")

    owner = TaskOwner("web")
    with capture_logs() as logged:
        await asyncio.wait([owner.spawn("sweep", work())])
        await asyncio.sleep(0)  # callbacks of a task run one turn after it

    assert [(line["event"], line["task"]) for line in logged] == [("task_failed", "web.sweep")]
    assert len(owner) == 0


async def test_cancelling_all_waits_until_each_has_ended() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    owner = TaskOwner("web")
    tasks = [owner.spawn(name, work(name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    assert len(owner) == 2

    with capture_logs() as logged:
        await owner.cancel_all()

    assert sorted(ended) == ["a", "b"]
    assert all(task.cancelled() for task in tasks)
    assert logged == []


async def test_an_owner_keeps_no_finished_task() -> None:
    async def work() -> None: ...

    owner = TaskOwner("web")
    await owner.spawn("once", work())
    await asyncio.sleep(0)

    assert len(owner) == 0


async def test_idle_waits_for_tasks_that_tasks_spawn() -> None:
    owner = TaskOwner("test")
    done: list[str] = []

    async def second() -> None:
        done.append("second")

    async def first() -> None:
        done.append("first")
        later = owner.spawn("second", second())
        assert not later.done()

    begun = owner.spawn("first", first())
    await owner.idle()

    assert begun.done()
    assert done == ["first", "second"]
    assert len(owner) == 0
