"""A worker process of this machine, as whoever started it sees it: told orders, heard, and ended for certain.

What is true of every exit: no process is left. It is asked to leave, then terminated, then killed.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process, SubprocessStreamProtocol
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from loadtest import lines
from loadtest.failures import SwarmError
from loadtest.notes import Done, Failed, Note, Order

COMMAND: Final = (sys.executable, "-m", "loadtest.worker_process")
TAIL_BYTES: Final = 8192
LAST_LINE: Final = 300
KILLED_S: Final = 5.0
"""The system needs that long at most to take a killed process away."""

Hear = Callable[[int, Note], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited for workers, in seconds."""

    prepare_s: float = 600.0
    """For all to be ready: identity tokens may come from a slow issuer."""
    silent_s: float = 15.0
    """For a sample, which is due each second."""
    leave_s: float = 10.0
    """For a process to end by itself when it has no more to do."""
    terminate_s: float = 3.0


class Hand:
    """One process. `start` makes it; `end` must be called, whatever happens."""

    def __init__(self, name: str, transport: asyncio.SubprocessTransport, protocol: "_Pipes") -> None:
        self.name = name
        self.pid = transport.get_pid()
        self._transport = transport
        self._pipes = protocol
        self._process = Process(transport, protocol, asyncio.get_running_loop())
        assert self._process.stdout is not None, "it is a pipe"
        self._stdout = self._process.stdout
        self._told = lines.Lines(self._stdout)

    @property
    def names(self) -> Sequence[str]:
        return (self.name,)

    @classmethod
    async def start(cls, name: str, command: Sequence[str] = COMMAND, cpu: int | None = None) -> "Hand":
        """On that processor only, if one is named. Raises SwarmError."""
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: _Pipes(limit=lines.READ_BYTES, loop=loop),
                *command,
                # In a session of its own it is spared what is typed at the coordinator's terminal.
                start_new_session=True,
            )
        except OSError as error:
            raise SwarmError(f"{name} does not start: {error.strerror}") from None
        hand = cls(name, transport, protocol)
        if cpu is not None:
            await hand._pin(cpu)
        return hand

    def tell(self, _worker: int, order: Order) -> None:
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(lines.write(order))

    async def listen(self, hear: Hear) -> None:
        """Until it has told its last note. Raises SwarmError when it ends without."""
        while (line := await self.next_line()) is not None:
            note: Note = self._read(line)
            if isinstance(note, Failed):
                await self._exit(KILLED_S)  # by then its last words are here
            await hear(0, note)
            if isinstance(note, Done | Failed):
                return
        raise SwarmError(f"{self.name} {await self.epitaph()}")

    async def next_line(self) -> bytes | None:
        """What it says, as it is; None when it says no more. Raises SwarmError for too long a line."""
        try:
            return await self._told.next()
        except SwarmError as error:
            raise SwarmError(f"{self.name} {error}") from None
        except OSError:
            return None

    async def epitaph(self) -> str:
        """How it ended, behind its end of speech: the exit status and the last it wrote on stderr."""
        try:
            async with asyncio.timeout(KILLED_S):
                await self._pipes.exited.wait()
        except TimeoutError:
            return "closed its pipe"
        status = self._process.returncode or 0
        ended = (
            f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        )
        last = next((line.strip() for line in reversed(self.last_words(0).split("\n")) if line.strip()), "")
        return f"{ended}: {last[-LAST_LINE:]}" if last else ended

    def last_words(self, _worker: int) -> str:
        """The end of what it wrote on stderr: a traceback, if it failed by a bug. May be empty."""
        said = bytes(self._pipes.tail).decode(errors="replace")
        return "".join(each for each in said if each.isprintable() or each == "\n")

    async def end(self, patience: Patience, *, politely: bool = True) -> None:
        """Nobody may `listen` any more. When this is over, also by cancellation, the process is."""
        try:
            if politely:
                await self._leave(patience.leave_s)
            if not self._pipes.exited.is_set():
                self._signal(signal.SIGTERM)
                await self._exit(patience.terminate_s)
        finally:
            self._signal(signal.SIGKILL)
            try:
                await self._exit(KILLED_S)
            finally:
                self._transport.close()

    async def _leave(self, for_s: float) -> None:
        """The end of its stdin tells it to; meanwhile somebody must read what it says."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(for_s):
                while await self._stdout.read(lines.READ_BYTES):
                    pass
                await self._pipes.exited.wait()

    async def _exit(self, for_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                await self._pipes.exited.wait()

    def _signal(self, number: int) -> None:
        """To it and what it started. Not once it has ended: its number may be somebody else's by then."""
        if not self._pipes.exited.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _pin(self, cpu: int) -> None:
        try:
            os.sched_setaffinity(self.pid, {cpu})
        except (OSError, AttributeError) as error:
            await self.end(Patience(), politely=False)
            why = error.strerror if isinstance(error, OSError) else "this system cannot"
            raise SwarmError(f"{self.name} cannot be pinned to processor {cpu}: {why}") from None

    def _read(self, line: bytes) -> Note:
        try:
            note: Note = lines.read(line, Note, "note")
        except SwarmError as error:
            raise SwarmError(f"{self.name} {error}") from None
        return note


class _Pipes(SubprocessStreamProtocol):
    """The process's stdout as a stream; of its stderr only the end is kept, and its exit is an event.

    The exit does not wait for the pipes: a grandchild may hold them open.
    """

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.exited = asyncio.Event()
        self.tail = bytearray()

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        if fd == 2 and isinstance(data, bytes):
            self.tail += data
            del self.tail[:-TAIL_BYTES]
        else:
            super().pipe_data_received(fd, data)

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()
