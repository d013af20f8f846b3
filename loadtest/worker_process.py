"""`python -m loadtest.worker_process`: a worker of the swarm as a process, told what to do on its stdin.

It knows the pipes and how a process ends, and nothing of players: those are the engine's. It never outlives
whoever started it: the end of stdin is a `Stop`, and after a grace the process ends itself, even when its
loop is stuck.
"""

import asyncio
import contextlib
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import IO, Final, Protocol, cast

import uvloop

from loadtest import lines
from loadtest.failures import SwarmError, reraise_first
from loadtest.held_notes import HeldNotes
from loadtest.notes import Begin, Failed, Note, Order, Prepare, Share, Stop
from loadtest.plan import Plan, of_data

GRACE_S: Final = 15.0
"""For players to leave after the coordinator has gone; longer than a run needs to settle and close."""
FLUSH_S: Final = 30.0
"""For the coordinator to take the last notes."""
MOST_FILES: Final = 2**20
STUCK: Final = 70


class Engine(Protocol):
    """Plays a share of the crowd; see `worker.py`."""

    async def run(self, orders: asyncio.Queue[Begin | Stop]) -> None:
        """Tells Ready, waits for Begin, plays, tells Done. Raises SwarmError."""


Make = Callable[[Plan, Share, Callable[[Note], None]], Engine]


class NotePipe(asyncio.Protocol):
    """Writes notes to the coordinator without ever making the loop wait."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._held = HeldNotes()
        self._may_write = asyncio.Event()
        self._lost = asyncio.Event()

    def tell(self, note: Note) -> None:
        self._held.put(note)
        self._write_held()

    async def close(self) -> None:
        """When the coordinator has taken all, or is not there any more, or `FLUSH_S` are over."""
        assert self._transport is not None, "connected before there is anything to tell"
        try:
            async with asyncio.timeout(FLUSH_S):
                while self._held and not self._lost.is_set():
                    await self._may_write.wait()
                self._transport.close()
                await self._lost.wait()
        except TimeoutError:
            sys.stderr.write("the coordinator does not take what was found\n")
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No check of its type: uvloop's pipes derive from none of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)
        # What the pipe does not take at once waits here, where samples can be added up.
        self._transport.set_write_buffer_limits(high=0)
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()
        self._write_held()

    def connection_lost(self, _error: Exception | None) -> None:
        self._lost.set()
        self._may_write.set()
        self._write_held()

    def _write_held(self) -> None:
        while self._held and self._may_write.is_set() and self._transport is not None:
            note = self._held.take()
            if not self._transport.is_closing():
                self._transport.write(lines.write(note))


def main(make: Make | None = None) -> int:
    """Returns the exit status: 0 when the engine told Done, 1 when it failed."""
    # The coordinator decides what an interrupt at the terminal means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _allow_files()
    orders, notes = _take_pipes()
    threading.Thread(target=_end_when_orphaned, args=(orders.fileno(),), daemon=True).start()
    return uvloop.run(_work(make or _engine, orders, notes))


def _engine(plan: Plan, share: Share, tell: Callable[[Note], None]) -> Engine:
    # Late: a process that was started in vain need not bring players along.
    from loadtest.worker import Worker

    engine: Engine = Worker(plan, share, tell)
    return engine


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Stdin and stdout for us alone: what a scenario prints goes to stderr, and its children read nothing."""
    orders, notes = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, notes


def _allow_files() -> None:
    """As many as the system lets us have: a descriptor for each player."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _end_when_orphaned(orders: int) -> None:
    """In a thread, so that a loop that is stuck does not keep the process: wait for the end of `orders`."""
    poll = select.poll()
    poll.register(orders, 0)
    poll.poll()
    time.sleep(GRACE_S)
    with contextlib.suppress(OSError):  # who would read it may have gone too
        os.write(2, b"the coordinator has gone, and the players did not leave\n")
    os._exit(STUCK)


async def _work(make: Make, stdin: IO[bytes], stdout: IO[bytes]) -> int:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    reading, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), stdin)
    _, pipe = await loop.connect_write_pipe(NotePipe, stdout)
    try:
        failure = await _play(make, lines.Lines(stream), pipe.tell)
        if failure is not None:
            pipe.tell(failure)
        return 0 if failure is None else 1
    finally:
        await pipe.close()
        reading.close()


async def _play(make: Make, told: lines.Lines, tell: Callable[[Note], None]) -> Failed | None:
    """Until the engine is done. Why it failed, if it did."""
    try:
        first = await _next(told)
        if not isinstance(first, Prepare):
            return Failed("a worker was not told what to prepare")
        engine = make(of_data(first.plan), first.share, tell)
        orders: asyncio.Queue[Begin | Stop] = asyncio.Queue(maxsize=2)
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(_pass_on(told, orders))
            await engine.run(orders)
            listening.cancel()
    except SwarmError as error:
        return Failed(str(error))
    except BaseExceptionGroup as group:
        return _told_of(group)
    except Exception as error:
        return _bug(error)
    return None


def _told_of(group: BaseExceptionGroup[BaseException]) -> Failed:
    try:
        reraise_first(group)
    except SwarmError as error:
        return Failed(str(error))
    except Exception as error:
        return _bug(error)


def _bug(error: Exception) -> Failed:
    """Its text stays here, on stderr: who knows what is in it."""
    cause = error
    while isinstance(cause, ExceptionGroup):
        cause = cause.exceptions[0]
    traceback.print_exception(cause)
    return Failed(f"a worker failed: {type(cause).__name__}")


async def _next(told: lines.Lines) -> Order | None:
    line = await told.next()
    if line is None:
        return None
    order: Order = lines.read(line, Order, "order")
    return order


async def _pass_on(told: lines.Lines, orders: asyncio.Queue[Begin | Stop]) -> None:
    """Each kind of order once, so that the queue's bound is never met; the end of the pipe stops too."""
    begun = False
    while True:
        order = await _next(told)
        if isinstance(order, Begin) and not begun:
            begun = True
            orders.put_nowait(order)
        if order is None or isinstance(order, Stop):
            orders.put_nowait(Stop())
            return


if __name__ == "__main__":
    sys.exit(main())
