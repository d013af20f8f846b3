"""Ways to starve a load tester while the server has all it needs: from outside, and within its own loop.

From outside, busy processes share the tester's only core with it and have the higher priority. What the
tester makes of that is its own business; that it was starved is measured by the kernel's count of its CPU
time.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HOGS: Final = 2
LOWEST: Final = 19
"""The niceness of who is starved."""
NICE_ENOUGH: Final = 12
"""Who is nicer than this cannot starve anybody: its busy processes are too nice too."""
HOG: Final = """
import os, time
parent, end = int({parent}), time.monotonic() + {limit_s}
while os.getppid() == parent and time.monotonic() < end:
    for _ in range(100_000):
        pass
"""
HOG_LIMIT_S: Final = 300
"""No busy process outlives this, or the one that started it, whatever happens."""
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


class Starving:
    """Processes that are starved, and those that eat their share."""

    def __init__(self, victims: tuple[int, ...], core: int) -> None:
        self.victims = victims
        self.core = core
        self.hogs: list[subprocess.Popen[bytes]] = []

    def cpu_s(self) -> tuple[float, float]:
        """CPU time so far: of the victims, and of the busy processes."""
        return sum(map(cpu_s, self.victims)), sum(cpu_s(hog.pid) for hog in self.hogs)


@contextlib.contextmanager
def starved(*pids: int, core: int | None = None, hogs: int = HOGS) -> Iterator[Starving]:
    """Starve these processes: give them one core, the last that they may use, and the lowest priority on it.

    Each must be of this session, where priorities count against each other (sched(7), autogroups), and its
    later children are starved too. With two busy processes they are left 15 of 2,063 shares of the core. At
    the end they may use all their cores again; their priority stays low where the system forbids to raise it.
    Raises ValueError where priorities would not starve them.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) > NICE_ENOUGH:
        raise ValueError("the starving process has a low priority itself")
    for pid in pids:
        if os.getsid(pid) != os.getsid(0):
            raise ValueError(f"process {pid} is of another session: priorities mean nothing to it")
    cores = {thread: os.sched_getaffinity(thread) for thread in _threads(pids)}
    before = {thread: os.getpriority(os.PRIO_PROCESS, thread) for thread in cores}
    core = max(set.intersection(*cores.values())) if core is None else core
    starving = Starving(pids, core)
    with contextlib.ExitStack() as stack:
        for thread in cores:
            stack.callback(_restore, thread, cores[thread], before[thread])
            os.sched_setaffinity(thread, {core})
            os.setpriority(os.PRIO_PROCESS, thread, LOWEST)
        for _ in range(hogs):
            starving.hogs.append(stack.enter_context(_hog(core)))
        yield starving


def family_of(pid: int) -> tuple[int, ...]:
    """A process and all below it, as of now: a load tester with its workers."""
    below = [
        int(child)
        for children in Path(f"/proc/{pid}/task").glob("*/children")
        for child in children.read_text().split()
    ]
    return (pid, *(each for child in below for each in family_of(child)))


def cpu_s(pid: int) -> float:
    """The CPU time that a process has used, in seconds; see proc(5), fields 14 and 15 of `stat`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


@contextlib.contextmanager
def _hog(core: int) -> Iterator[subprocess.Popen[bytes]]:
    """A busy process on this core, at the priority of this one."""
    program = HOG.format(parent=os.getpid(), limit_s=HOG_LIMIT_S)
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", program], stdin=subprocess.DEVNULL) as process:
        try:
            os.sched_setaffinity(process.pid, {core})
            yield process
        finally:
            process.kill()


def _threads(pids: tuple[int, ...]) -> list[int]:
    return [int(task.name) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]


def _restore(thread: int, cores: set[int], priority: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.sched_setaffinity(thread, cores)
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, thread, priority)


class BlockedLoop:
    """Blocks a loop from within, for `for_s` seconds every `every_s`; `begin` it, and `stop` it.

    It sleeps, as a call that waits for something would, or works (`busy`), as a slow function would.
    """

    def __init__(self, every_s: float, for_s: float, *, busy: bool = False) -> None:
        self._every_s = every_s
        self._for_s = for_s
        self._busy = busy
        self._next: asyncio.TimerHandle | None = None
        self.blocked: list[tuple[float, float]] = []
        """When each stop began and ended, by the monotonic clock."""

    def begin(self) -> None:
        """In the running loop. The first stop comes after `every_s`, each other that long after the last."""
        self._next = asyncio.get_running_loop().call_later(self._every_s, self._block)

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _block(self) -> None:
        begun_s = time.monotonic()
        if self._busy:
            _work(self._for_s)
        else:
            time.sleep(self._for_s)
        self.blocked.append((begun_s, time.monotonic()))
        self.begin()


@contextlib.contextmanager
def blocked_loop(every_s: float, for_s: float, *, busy: bool = False) -> Iterator[BlockedLoop]:
    """Block the running loop now and then within the block."""
    blocking = BlockedLoop(every_s, for_s, busy=busy)
    blocking.begin()
    try:
        yield blocking
    finally:
        blocking.stop()


def _work(for_s: float) -> None:
    end_s = time.thread_time() + for_s
    while time.thread_time() < end_s:
        pass
