"""The functions that the game offers to players and to other servers, fenced in time and in faults.

Implements the port `Functions` of `world.py`. Each call is a task of its own, so that a function which
swallows its cancellation costs a place, never its caller's connection. What is said and answered reaches no
log: of a failure it keeps the type and the lines of code, not the text, which may quote the payload.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

import structlog

from protocol.session_refresh import NAME as SESSION_REFRESH
from server.core.function import Caller, Function, FunctionError, NoSuchFunction
from server.tasks import TaskOwner

log = structlog.get_logger("lockgate.rpc")

CODE_DEADLINE_EXCEEDED = 4
CODE_RESOURCE_EXHAUSTED = 8
RESERVED = frozenset({SESSION_REFRESH})
"""Names of the server's own functions."""


class Outcome(StrEnum):
    """How a call ended; the label of its metric."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    LATE = "late"
    FULL = "full"


class RemoteCalls:
    """The registry of functions. Raises ValueError for a name that is empty, taken twice or reserved."""

    def __init__(
        self, functions: Mapping[str, Function], tasks: TaskOwner, *, timeout_s: float, concurrent: int
    ) -> None:
        self._functions = {name.lower(): function for name, function in functions.items()}
        if len(self._functions) != len(functions):
            raise ValueError("two functions have names that differ in case only")
        if bad := sorted({*RESERVED, ""} & self._functions.keys()):
            raise ValueError(f"not a name for a function: {bad[0]!r}")
        self._tasks = tasks
        self._timeout_s = timeout_s
        self._concurrent = concurrent
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))

    @property
    def running(self) -> int:
        return len(self._tasks)

    def knows(self, name: str) -> bool:
        """Whether there is a function of this name, in any case."""
        return name.lower() in self._functions

    async def call(self, name: str, caller: Caller, payload: str) -> str:
        """The answer of the function called `name`, in any case. Raises FunctionError and NoSuchFunction."""
        name = name.lower()
        function = self._functions.get(name)
        if function is None:
            raise NoSuchFunction
        if self.running >= self._concurrent:
            self._count(Outcome.FULL, name)
            raise FunctionError("Too many RPC functions are running", CODE_RESOURCE_EXHAUSTED)
        task = self._tasks.spawn("rpc", self._run(function, name, caller, payload))
        try:
            # `wait` and not `timeout`: it comes back even if the function swallows its cancellation.
            await asyncio.wait([task], timeout=self._timeout_s)
        finally:
            task.cancel()
        if not task.done():
            self._count(Outcome.LATE, name)
            raise FunctionError("RPC function timed out", CODE_DEADLINE_EXCEEDED)
        # Cancelled, it raised that itself.
        answer = None if task.cancelled() else task.result()
        if isinstance(answer, str):
            self._count(Outcome.ANSWERED, name)
            return answer
        self._count(Outcome.FAILED if answer is None else Outcome.REFUSED, name)
        raise answer or FunctionError("RPC function failed")

    async def close(self) -> None:
        """Cancel the calls that run."""
        await self._tasks.cancel_all()

    async def _run(
        self, function: Function, name: str, caller: Caller, payload: str
    ) -> str | FunctionError | None:
        """None: it failed, and that is in the log."""
        try:
            answer: object = await function(caller, payload)
            if isinstance(answer, str):
                return _sayable(answer)
            log.error("rpc_answer_is_no_text", rpc=name, answer=type(answer).__name__)
        except FunctionError as refusal:
            return FunctionError(
                _sayable(refusal.message), refusal.code
            )  # without the frames it came through
        except (Exception, SystemExit) as error:  # the fence around game code
            lines = "".join(traceback.format_tb(error.__traceback__))
            log.error("rpc_failed", rpc=name, error=type(error).__name__, trace=lines)
        return None

    def _count(self, outcome: Outcome, name: str) -> None:
        self.outcomes[outcome] += 1
        if outcome in (Outcome.LATE, Outcome.FULL):
            log.warning("rpc_not_answered", rpc=name, outcome=outcome.value)


def _sayable(text: str) -> str:
    # A lone surrogate has no UTF-8, and must not cost the caller their answer.
    return text if text.isascii() else text.encode(errors="replace").decode()
