"""Workers as processes: they are prepared, begun, heard to the end, and none is left, whatever happens."""

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
import uvloop

from loadtest.crew import PATIENCE, Crew
from loadtest.failures import SwarmError
from loadtest.hand import Patience
from loadtest.notes import Done, Note, Sample, Told
from loadtest.plan import Plan
from tests.support.fake_worker import COMMAND, STICKY

SHORT = Patience(prepare_s=30, silent_s=1, leave_s=1, terminate_s=1)


def crew(workers: int = 1, patience: Patience = PATIENCE, pin: list[int] | None = None, **act: Any) -> Crew:
    plan = Plan(workers=workers, settings=act, pin=pin or [], agent_secret="hidden", server_key="key")
    return Crew(plan, command=COMMAND, patience=patience)


def are_gone(pids: list[int]) -> bool:
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        return False
    return bool(pids)


async def play(workers: Crew) -> list[tuple[int, Note]]:
    await workers.prepare()
    workers.begin()
    return [each async for each in workers.notes()]


async def test_all_that_workers_tell_is_heard_and_then_they_are_gone() -> None:
    async with crew(2) as workers:
        pids = workers.pids
        notes = await play(workers)

    for number in range(2):
        kinds = [type(note) for worker, note in notes if worker == number]
        assert kinds == [Told, Sample, Sample, Sample, Done]
    assert are_gone(pids)


def test_it_is_the_same_on_uvloop() -> None:
    async def scenario() -> tuple[list[tuple[int, Note]], list[int]]:
        async with crew(2) as workers:
            return await play(workers), workers.pids

    notes, pids = uvloop.run(scenario())

    assert len(notes) == 10
    assert are_gone(pids)


async def test_a_stop_ends_the_playing_and_what_was_found_still_comes() -> None:
    async with crew(2, act="wait") as workers:
        await workers.prepare()
        workers.begin()
        notes = []
        async for note in workers.notes():
            notes.append(note)
            if len(notes) == 8:
                workers.stop()

    assert [note.stopped_early for _, note in notes if isinstance(note, Done)] == [True, True]


async def test_a_worker_that_cannot_prepare_is_told_in_its_own_words() -> None:
    async with crew(act="refuse") as workers:
        with pytest.raises(SwarmError, match=r"^the server is not there$"):
            await workers.prepare()
        pids = workers.pids

    assert are_gone(pids)


async def test_with_several_the_one_that_failed_is_named() -> None:
    async with crew(2, act="fail", who=1) as workers:
        with pytest.raises(SwarmError, match=r"^worker 2: the server refuses$"):
            await play(workers)


async def test_a_bug_is_told_by_its_name_with_the_traceback_beside_it() -> None:
    async with crew(act="fail early") as workers:
        with pytest.raises(SwarmError, match=r"^a worker failed: ValueError\n") as raised:
            await workers.prepare()

    # Whoever wrote the scenario gets the traceback.
    (note,) = raised.value.__notes__
    assert note.startswith("Traceback")
    assert 'raise ValueError("with a secret in it")' in note


async def test_a_worker_that_dies_is_told_with_its_status_and_last_words() -> None:
    async with crew(2, act="die", who=1) as workers:
        pids = workers.pids
        with pytest.raises(SwarmError, match=r"^worker 2 ended with status 7: out of something$"):
            await play(workers)

    assert are_gone(pids)


async def test_a_worker_that_is_killed_is_told_with_the_signal() -> None:
    async with crew(2, act="wait") as workers:
        await workers.prepare()
        workers.begin()

        os.kill(workers.pids[0], signal.SIGKILL)

        with pytest.raises(SwarmError, match=r"^worker 1 was ended by SIGKILL"):
            async for _ in workers.notes():
                pass


async def test_a_worker_that_says_nothing_is_told() -> None:
    async with crew(2, SHORT, act="mute", who=0) as workers:
        pids = workers.pids
        with pytest.raises(SwarmError, match="worker 1 has said nothing for 1 seconds"):
            await play(workers)

    assert are_gone(pids)


async def test_a_worker_that_does_not_get_ready_is_told() -> None:
    mute = (sys.executable, "-c", "import sys; sys.stdin.read()")
    async with Crew(Plan(), command=mute, patience=Patience(prepare_s=0.1)) as workers:
        with pytest.raises(SwarmError, match=r"worker 1 was not ready in 0\.1 seconds"):
            await workers.prepare()


async def test_a_stopped_process_is_killed() -> None:
    async with crew(1, SHORT, act="wait") as workers:
        await workers.prepare()
        pids = workers.pids

        os.kill(pids[0], signal.SIGSTOP)

    assert are_gone(pids)


async def test_a_worker_whose_loop_is_stuck_is_killed() -> None:
    async with crew(1, SHORT, act="stuck") as workers:
        await workers.prepare()
        workers.begin()
        async for _, note in workers.notes():
            if note == Told(0, STICKY):
                break
        pids = workers.pids

    assert are_gone(pids)


async def test_an_abort_does_not_wait_for_anybody() -> None:
    begun = asyncio.Event()
    pids: list[int] = []

    async def conduct() -> None:
        async with crew(2, Patience(leave_s=3600), act="mute") as workers:
            pids.extend(workers.pids)
            await workers.prepare()
            workers.begin()
            begun.set()
            async for _ in workers.notes():
                pass

    async with asyncio.TaskGroup() as tasks:
        conducting = tasks.create_task(conduct())
        await begun.wait()
        conducting.cancel()

    assert are_gone(pids)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("hello", "worker 1 said what is no note"),
        ('{"type":"unheard"}', "worker 1 said what is no note"),
        ("[" * 100_000, "worker 1 said what is no note"),
        ("\\xff", "worker 1 said what is no note"),
        ("x" * 5 * 2**20, "worker 1 said more than"),
    ],
    ids=["words", "unknown", "deep", "no text", "long"],
)
async def test_garbage_is_no_note(said: str, told: str) -> None:
    script = "import sys; sys.stdout.buffer.write(eval(sys.argv[1]) * int(sys.argv[2]) + b'\\n')"
    unit, times = (said, 1) if len(said) < 1000 else (said[0], len(said))
    command = (sys.executable, "-c", script, f"b'{unit}'", str(times))
    async with Crew(Plan(), command=command) as workers:
        with pytest.raises(SwarmError, match=told):
            await workers.prepare()


async def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(SwarmError, match="worker 1 does not start"):
        async with Crew(Plan(), command=("/nowhere/at/all",)):
            pass


async def test_without_any_worker_nothing_can_be_played() -> None:
    with pytest.raises(SwarmError, match="no worker"):
        async with crew(0):
            pass


async def test_workers_are_pinned_in_turn() -> None:
    cpus = sorted(os.sched_getaffinity(0))[:2]
    async with crew(3, pin=cpus) as workers:
        pinned = [os.sched_getaffinity(pid) for pid in workers.pids]

    assert pinned == [{cpus[number % len(cpus)]} for number in range(3)]


async def test_a_processor_that_is_not_there_is_told() -> None:
    with pytest.raises(SwarmError, match="worker 1 cannot be pinned to processor 4000: Invalid"):
        async with crew(pin=[4000]):
            pass


async def test_a_worker_hears_no_secret_of_the_agents() -> None:
    told = crew(1)._prepare_order(0)

    assert (told.plan["agent_secret"], told.plan["agents"]) == ("", [])
    assert told.plan["server_key"] == "key"
