"""The fence around the game's functions, in time and in faults.

Each call is a task of its own, so that a function which swallows its cancellation costs a place, never
whoever waits for it. Of a fault the log keeps the type and the lines of code, not the text, which may quote
what a player said.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum

import structlog

from server.core.function import FunctionError
from server.matches.running import lines_of
from server.runtime.api import GameServer, serving
from server.runtime.guard import Stopped, Subject, guarded, guarded_wait
from server.tasks import TaskOwner

log = structlog.get_logger("lockgate.game")

Work = Callable[[], Awaitable[object] | object]


class Outcome(StrEnum):
    """How a call ended; the label of its metric."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    LATE = "late"
    FULL = "full"


class NoAnswer(Exception):
    """A function gave no answer; that is counted, and in the log."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Answer:
    value: object


class Fence:
    """Calls functions of one kind. `server` is what `server` stands for in them, once it is set."""

    def __init__(
        self,
        kind: str,
        tasks: TaskOwner,
        *,
        timeout_s: float,
        concurrent: int,
        on_call: Callable[[], None] | None = None,
    ) -> None:
        """`on_call`: told before each call."""
        self._kind = kind
        self._on_call = on_call
        self._tasks = tasks
        self._timeout_s = timeout_s
        self._concurrent = concurrent
        self.server: GameServer | None = None
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))

    @property
    def running(self) -> int:
        return len(self._tasks)

    async def call(self, name: str, work: Work) -> object:
        """What `work` answers. Raises FunctionError if it refuses, and NoAnswer."""
        if self.running >= self._concurrent:
            raise self._no_answer(Outcome.FULL, name)
        task = self._tasks.spawn(self._kind, self._run(name, work))
        try:
            # `wait` and not `timeout`: it comes back even if the function swallows its cancellation.
            await asyncio.wait([task], timeout=self._timeout_s)
        finally:
            task.cancel()
        if not task.done():
            raise self._no_answer(Outcome.LATE, name)
        # Cancelled, it raised that itself.
        result = None if task.cancelled() else task.result()
        if isinstance(result, _Answer):
            return result.value
        if result is None:
            if task.cancelled():
                self.outcomes[Outcome.FAILED] += 1
            raise NoAnswer(Outcome.FAILED)
        raise result

    def start(self, name: str, work: Work) -> bool:
        """Let `work` run beside everything else. False when too much runs already: then it does not."""
        if self.running >= self._concurrent:
            self._no_answer(Outcome.FULL, name)
            return False
        _ = self._tasks.spawn(self._kind, self._beside(name, work))
        return True

    def misbehaved(self, name: str, answer: object) -> None:
        """Count and log that a function answered what it must not."""
        self.outcomes[Outcome.FAILED] += 1
        log.error("game_code_failed", kind=self._kind, name=name, answer=type(answer).__name__)

    async def finish(self, limit_s: float) -> None:
        """Wait until nothing runs, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._tasks.idle()

    async def close(self) -> None:
        """Cancel what runs."""
        await self._tasks.cancel_all()

    async def _beside(self, name: str, work: Work) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._run(name, work)
        except TimeoutError:
            self._no_answer(Outcome.LATE, name)

    async def _run(self, name: str, work: Work) -> _Answer | FunctionError | None:
        """None: it failed, and that is in the log."""
        if self._on_call is not None:
            self._on_call()
        try:
            with serving(self.server) if self.server is not None else nullcontext():
                subject = Subject(self._kind, name=name)
                answer = guarded(subject, work)
                if inspect.isawaitable(answer):
                    answer = await guarded_wait(subject, answer)
                answer = _Answer(answer)
            self.outcomes[Outcome.ANSWERED] += 1
            return answer
        except FunctionError as refusal:
            self.outcomes[Outcome.REFUSED] += 1
            # Without the frames it came through.
            return FunctionError(sayable(refusal.message), refusal.code)
        except (Exception, SystemExit, Stopped) as error:  # game code may raise anything
            self.outcomes[Outcome.FAILED] += 1
            log.error(
                "game_code_failed",
                kind=self._kind,
                name=name,
                error=type(error).__name__,
                trace=lines_of(error),
            )
            return None

    def _no_answer(self, outcome: Outcome, name: str) -> NoAnswer:
        self.outcomes[outcome] += 1
        log.warning("game_code_gave_no_answer", kind=self._kind, name=name, outcome=outcome.value)
        return NoAnswer(outcome)


def sayable(text: str) -> str:
    """The text without lone surrogates: they have no UTF-8, and must not cost the caller their answer."""
    return text if text.isascii() else text.encode(errors="replace").decode()
