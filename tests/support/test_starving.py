"""Who is starved gets next to nothing, by the kernel's own count, and is let go in the end."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.inprocess import until
from tests.support.starving import HOG, LOWEST, blocked_loop, cpu_s, family_of, starved

BUSY = "while True: pass"
EATEN_S = 0.6
"""CPU time of the busy processes that is enough to tell shares of it."""


@contextlib.contextmanager
def process(program: str = BUSY, *, own_session: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that runs this, and is past its start when it has printed a line or used the CPU."""
    command = [sys.executable, "-S", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=own_session) as each:
        try:
            yield each
        finally:
            each.kill()


async def grown(before_s: float, by_s: float, *pids: int) -> None:
    """Until these processes have used so much more CPU time."""
    async with asyncio.timeout(30):
        while sum(map(cpu_s, pids)) < before_s + by_s:  # noqa: ASYNC110  # the kernel tells nobody
            await asyncio.sleep(0.02)


async def test_a_starved_process_is_left_a_small_share_of_its_core() -> None:
    with process() as victim:
        await grown(0, 0.05, victim.pid)

        with starved(victim.pid) as starving:
            assert os.sched_getaffinity(victim.pid) == {starving.core}
            assert os.getpriority(os.PRIO_PROCESS, victim.pid) == LOWEST
            hogs = [hog.pid for hog in starving.hogs]
            assert [os.sched_getaffinity(hog) for hog in hogs] == [{starving.core}] * 2
            await grown(0, 0.1, *hogs)  # they have begun
            own_before_s, others_before_s = starving.cpu_s()
            await grown(others_before_s, EATEN_S, *hogs)
            own_s, others_s = starving.cpu_s()

        share = (own_s - own_before_s) / (own_s - own_before_s + others_s - others_before_s)
        assert share < 0.25


async def test_who_was_starved_has_all_cores_again_and_the_busy_processes_are_gone() -> None:
    with process() as victim:
        before = os.sched_getaffinity(victim.pid)

        with starved(victim.pid) as starving:
            pass

        assert os.sched_getaffinity(victim.pid) == before
        assert [hog.poll() for hog in starving.hogs] == [-9, -9]


async def test_a_load_tester_is_starved_with_its_workers() -> None:
    child = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-S', '-c', '{BUSY}'])"
    with process(f"{child}\nprint('started', flush=True)\n{BUSY}") as parent:
        assert parent.stdout is not None
        await asyncio.to_thread(parent.stdout.readline)
        pids = family_of(parent.pid)
        try:
            assert len(pids) == 2
            with starved(*pids) as starving:
                assert [os.sched_getaffinity(pid) for pid in pids] == [{starving.core}] * 2
        finally:
            os.kill(pids[-1], 9)


async def test_a_victim_that_ends_is_no_trouble() -> None:
    with process() as victim, starved(victim.pid, hogs=1):
        victim.kill()
        victim.wait()


async def test_a_process_of_another_session_is_refused() -> None:
    with process(own_session=True) as victim:
        await grown(0, 0.02, victim.pid)
        with pytest.raises(ValueError, match="another session"), starved(victim.pid):
            pass


def test_a_busy_process_ends_by_itself_when_nobody_is_there_to_end_it() -> None:
    orphan = HOG.format(parent=-1, limit_s=60)
    overdue = HOG.format(parent=os.getpid(), limit_s=0)

    for program in (orphan, overdue):
        subprocess.run([sys.executable, "-S", "-c", program], timeout=30, check=True)


@pytest.mark.parametrize("busy", [False, True])
async def test_nothing_else_happens_in_a_loop_while_it_is_blocked(busy: bool) -> None:
    turns = list[float]()
    loop = asyncio.get_running_loop()

    def turn() -> None:
        turns.append(time.monotonic())
        if len(blocking.blocked) < 3:
            loop.call_soon(turn)
        else:
            done.set()

    done = asyncio.Event()
    used_s = time.thread_time()
    with blocked_loop(0.01, 0.05, busy=busy) as blocking:
        turn()
        await done.wait()
    used_s = time.thread_time() - used_s

    assert all(ended_s - begun_s >= 0.049 for begun_s, ended_s in blocking.blocked)
    assert not [at_s for at_s in turns for begun_s, ended_s in blocking.blocked if begun_s < at_s < ended_s]
    assert used_s >= 0.15 or not busy


async def test_a_loop_that_is_let_go_turns_on() -> None:
    with blocked_loop(0.001, 0.001) as blocking:
        await until(lambda: bool(blocking.blocked))
    count = len(blocking.blocked)

    await asyncio.sleep(0.01)

    assert len(blocking.blocked) == count
