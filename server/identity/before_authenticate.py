"""The question to the game before a verified player gets in: the game's hook, fenced in time and in faults.

The hook runs in a task of its own, a plain function in a thread, so that one which never ends costs its own
login and a place, never the loop. Knows nothing of accounts: none was made or found yet.
"""

import asyncio
import contextvars
import copy
import inspect
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum

import structlog

from server.identity.failures import GameFault, PlayerRefused, Unfinished
from server.identity.identity import Identity
from server.tasks import TaskOwner

Verdict = str | None
"""None lets the player in; a text refuses them and is what they are told."""
Hook = Callable[[Identity], Verdict | Awaitable[Verdict]]
"""What the game gives: an async function, or a plain one."""

MAX_ASKED = 1_000
MAX_THREADS = 16
MAX_TEXT = 256
NO_TEXT = "Not allowed"
RETRY_AFTER_S = 1

log = structlog.get_logger("lockgate.identity")


class Outcome(StrEnum):
    """How a question to the game ended; the label of its metric."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    LATE = "late"
    FULL = "full"
    FAILED = "failed"


class BeforeAuthenticate:
    """Asks the game's hook, if there is one. `outcomes` counts how that ended, `threads` what still runs."""

    def __init__(self, hook: Hook | None, timeout_s: float, tasks: TaskOwner) -> None:
        self._hook = hook
        self._timeout_s = timeout_s
        self._tasks = tasks
        self._places = asyncio.Semaphore(MAX_THREADS)
        self.threads = 0
        self.outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))

    def replace(self, hook: Hook | None) -> None:
        """Ask this hook from now on."""
        self._hook = hook

    async def check(self, identity: Identity) -> None:
        """Returns when the player may come in.

        Raises `PlayerRefused` with the game's text, `Unfinished` when the hook takes too long or too many
        are asked at once, and `GameFault` when it fails or answers neither a text nor None.
        """
        if self._hook is None:
            return
        if len(self._tasks) >= MAX_ASKED:
            self._unfinished(Outcome.FULL, identity)
        # A copy: what the hook changes must not become a session variable.
        shown = Identity(identity.issuer, identity.subject, copy.deepcopy(dict(identity.claims)))
        asked = self._tasks.spawn("ask", self._ask(self._hook, shown))
        try:
            # `wait` and not `timeout`: it comes back even if the hook swallows its cancellation.
            await asyncio.wait([asked], timeout=self._timeout_s)
        finally:
            asked.cancel()
        if not asked.done():
            self._unfinished(Outcome.LATE, identity)
        self._decide(asked, identity)

    async def close(self) -> None:
        """Cancel the questions that are still open."""
        await self._tasks.cancel_all()

    def _decide(self, asked: "asyncio.Task[object]", identity: Identity) -> None:
        verdict = None if asked.cancelled() else asked.result()
        if asked.cancelled() or isinstance(verdict, _Failed) or not isinstance(verdict, str | None):
            self.outcomes[Outcome.FAILED] += 1
            if not isinstance(verdict, _Failed):
                log.error("before_authenticate_failed", issuer=identity.issuer, answer=type(verdict).__name__)
            raise GameFault
        if verdict is None:
            self.outcomes[Outcome.ADMITTED] += 1
            return
        self.outcomes[Outcome.REFUSED] += 1
        text = verdict[:MAX_TEXT].encode(errors="replace").decode() or NO_TEXT
        log.info("before_authenticate_refused", issuer=identity.issuer, reason=text)
        raise PlayerRefused(text)

    def _unfinished(self, outcome: Outcome, identity: Identity) -> None:
        self.outcomes[outcome] += 1
        log.warning("before_authenticate_unfinished", issuer=identity.issuer, outcome=outcome.value)
        raise Unfinished(RETRY_AFTER_S)

    async def _ask(self, hook: Hook, identity: Identity) -> object:
        try:
            answer = hook(identity) if _is_async(hook) else await self._in_thread(hook, identity)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception as error:  # the fence around game code
            log.error("before_authenticate_failed", issuer=identity.issuer, exc_info=error)
            return _Failed()

    async def _in_thread(self, hook: Hook, identity: Identity) -> object:
        """Run a plain function in a daemon thread. Its place is taken until it really ends."""
        await self._places.acquire()
        self.threads += 1
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[object] = loop.create_future()
        context = contextvars.copy_context()

        def run() -> None:
            try:
                answer: object = context.run(hook, identity)
            except BaseException as error:  # whatever ends it, its place must become free
                answer = error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
            with suppress(RuntimeError):  # the loop was closed while the hook ran
                loop.call_soon_threadsafe(self._returned, ended, answer)

        threading.Thread(target=run, name="before_authenticate", daemon=True).start()
        answer = await ended
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _returned(self, ended: "asyncio.Future[object]", answer: object) -> None:
        self._places.release()
        self.threads -= 1
        if not ended.done():
            ended.set_result(answer)


class _Failed:
    """The hook raised; that is in the log already."""


def _is_async(hook: Hook) -> bool:
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(type(hook).__call__)
