"""The coordinator's workers, here and on other hosts: started, told what to do, heard, and ended for certain.

It knows nothing of what is played. A worker that dies, or says nothing for long, ends the run with an error
that names it: a result without its share would look like one with all of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Final, Protocol, Self

import msgspec

from loadtest.failures import SwarmError
from loadtest.hand import COMMAND, Hand, Hear, Patience
from loadtest.lender import Lender
from loadtest.notes import Begin, Done, Failed, Note, Order, Prepare, Ready, Share, Stop
from loadtest.plan import Plan

HEARD_AT_MOST: Final = 256
"""Notes that wait for the coordinator; beyond it the workers wait, and add up what they would have told."""

PATIENCE: Final = Patience()
TRACEBACK: Final = "Traceback (most recent call last)"


class Source(Protocol):
    """Workers of one place, numbered there from 0: a `Hand` is one, a `Lender` has several."""

    @property
    def names(self) -> Sequence[str]: ...
    def tell(self, worker: int, order: Order) -> None: ...
    async def listen(self, hear: Hear) -> None: ...
    def last_words(self, worker: int) -> str: ...
    async def end(self, patience: Patience, *, politely: bool = True) -> None: ...


class Crew:
    """Enter it, `prepare`, `begin`, and iterate `notes` to the end; when it is left no process is."""

    def __init__(
        self,
        plan: Plan,
        *,
        command: Sequence[str] = COMMAND,
        patience: Patience = PATIENCE,
    ) -> None:
        self._plan = plan
        self._command = command
        self._patience = patience
        self._sources: list[tuple[Source, int]] = []
        """With the number of its first worker."""
        self.names: list[str] = []
        self._heard: asyncio.Queue[tuple[int, Note] | SwarmError] = asyncio.Queue(HEARD_AT_MOST)
        self._ears = asyncio.TaskGroup()
        self._listening: list[asyncio.Task[None]] = []
        self._last_heard: dict[int, float] = {}
        """When each worker that has more to say spoke last, by the loop's clock."""

    @property
    def workers(self) -> int:
        return len(self.names)

    @property
    def pids(self) -> list[int]:
        """Of the workers on this machine."""
        return [source.pid for source, _ in self._sources if isinstance(source, Hand)]

    async def __aenter__(self) -> Self:
        """Starts the processes. Raises SwarmError."""
        await self._ears.__aenter__()
        try:
            pin = self._plan.pin
            for number in range(self._plan.workers):
                cpu = pin[number % len(pin)] if pin else None
                self._add(await Hand.start(f"worker {number + 1}", self._command, cpu))
            for place in self._plan.agents:
                self._add(await Lender.connect(place, self._plan.agent_secret))
            if not self.names:
                raise SwarmError("there is no worker to play")
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        for source, first in self._sources:
            self._listening.append(self._ears.create_task(self._listen(source, first)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An abort does not wait for the players to say good-bye.
        politely = kind is None or issubclass(kind, SwarmError)
        for task in self._listening:
            task.cancel()
        if self._listening:
            await asyncio.wait(self._listening)
        try:
            async with asyncio.TaskGroup() as ending:
                for source, _ in self._sources:
                    ending.create_task(self._end(source, politely))
        finally:
            await self._ears.__aexit__(None, None, None)

    async def prepare(self) -> None:
        """Let all get ready. Raises SwarmError, with a worker's own text if one fails."""
        for number in range(self.workers):
            self._tell(number, self._prepare_order(number))
        waiting = set(range(self.workers))
        try:
            async with asyncio.timeout(self._patience.prepare_s):
                while waiting:
                    number, note = await self._next()
                    if not isinstance(note, Ready):
                        raise SwarmError(f"{self.names[number]} speaks before it is ready")
                    waiting.discard(number)
        except TimeoutError:
            late = self.names[min(waiting)]
            raise SwarmError(f"{late} was not ready in {self._patience.prepare_s:g} seconds") from None

    def begin(self) -> None:
        """The schedule starts now, in all workers. Then `notes` must be read."""
        self._last_heard = dict.fromkeys(range(self.workers), asyncio.get_running_loop().time())
        for number in range(self.workers):
            self._tell(number, Begin())

    def stop(self) -> None:
        """Let the players leave; what was found still comes."""
        for number in range(self.workers):
            self._tell(number, Stop())

    async def notes(self) -> AsyncIterator[tuple[int, Note]]:
        """What the workers tell, with their numbers, until each is done.

        Raises SwarmError when one fails, dies, or says nothing for long; a note of it (`__notes__`) is the
        end of what that worker wrote on stderr, if there is a traceback in it.
        """
        while self._last_heard:
            quiet, since = min(self._last_heard.items(), key=lambda each: each[1])
            try:
                async with asyncio.timeout_at(since + self._patience.silent_s):
                    number, note = await self._next()
            except TimeoutError:
                raise SwarmError(
                    f"{self.names[quiet]} has said nothing for {self._patience.silent_s:g} seconds"
                ) from None
            if isinstance(note, Done):
                self._last_heard.pop(number, None)
            elif number in self._last_heard:
                self._last_heard[number] = asyncio.get_running_loop().time()
            yield number, note

    def _add(self, source: Source) -> None:
        self._sources.append((source, len(self.names)))
        self.names += source.names

    async def _listen(self, source: Source, first: int) -> None:
        async def hear(worker: int, note: Note) -> None:
            await self._heard.put((first + worker, note))

        try:
            await source.listen(hear)
        except SwarmError as error:
            if len(source.names) == 1:
                self._quote(error, first)
            await self._heard.put(error)

    async def _next(self) -> tuple[int, Note]:
        """Raises SwarmError when a worker failed."""
        heard = await self._heard.get()
        if isinstance(heard, SwarmError):
            raise heard
        number, note = heard
        if isinstance(note, Failed):
            # With one worker alone its name tells nothing.
            error = SwarmError(note.text if self.workers == 1 else f"{self.names[number]}: {note.text}")
            self._quote(error, number)
            raise error
        return number, note

    def _tell(self, number: int, order: Order) -> None:
        source, worker = self._source_of(number)
        source.tell(worker, order)

    def _quote(self, error: SwarmError, number: int) -> None:
        """Its last words as a note of the error: whoever wrote the scenario needs the traceback."""
        source, worker = self._source_of(number)
        words = source.last_words(worker).strip()
        if TRACEBACK in words:
            error.add_note(words)

    def _source_of(self, number: int) -> tuple[Source, int]:
        """Where a worker is, and its number there."""
        source, first = max((each for each in self._sources if each[1] <= number), key=lambda each: each[1])
        return source, number - first

    async def _end(self, source: Source, politely: bool) -> None:
        if politely:
            for number in range(len(source.names)):
                source.tell(number, Stop())
        await source.end(self._patience, politely=politely)

    def _prepare_order(self, number: int) -> Prepare:
        """With what a worker needs and no more: it starts no workers, and asks no agent."""
        plan: dict[str, Any] = msgspec.to_builtins(self._plan)
        return Prepare({**plan, "agent_secret": "", "agents": []}, Share(number, self.workers))
