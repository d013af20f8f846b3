"""Stops game code that does not come back: raises within it, on the thread that it runs on.

Another thread asks for it, a signal brings it there, and the signal's handler decides: only while that very
call is on the stack, and while none of the server's own code is between it and the game's, so that nothing of
the server is left half done. Where signals are not to be had, nothing is stopped.
"""

import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from server.runtime.guard import Stopped, guard_of

# Python knows the real-time signals of Linux only; they are nobody's by custom.
SIGNAL: int = getattr(signal, "SIGRTMIN", signal.SIGUSR2) + (3 if hasattr(signal, "SIGRTMIN") else 0)

SHELTERED = frozenset(
    {
        "server",
        "protocol",
        "asyncio",
        "concurrent",
        "importlib",
        "_frozen_importlib",
        "logging",
        "queue",
        "sqlalchemy",
        "structlog",
        "threading",
        "uvloop",
    }
)
"""Packages that hold locks, or what others share: never left in the middle."""


@dataclass(frozen=True, slots=True)
class _Order:
    guard: FrameType
    error: type[Stopped]
    valid: Callable[[], bool]
    firmly: bool


class Interrupt:
    """`install` it on the main thread; `remove` it there, when nobody asks any more."""

    def __init__(self) -> None:
        self._order: _Order | None = None
        self._before: Any = None
        self.installed = False
        self.raised = 0
        """How often it was raised in game code, that which swallows it included."""

    def install(self) -> bool:
        """False: not here. Signals reach the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            return False
        self._before = signal.signal(SIGNAL, self._on_signal)
        self.installed = True
        return True

    def remove(self) -> None:
        if self.installed and signal.getsignal(SIGNAL) == self._on_signal:
            # Never the default, which ends the process: another one's signal may still be on its way.
            signal.signal(SIGNAL, self._before if callable(self._before) else signal.SIG_IGN)
        self.installed = False

    def stop(
        self, guard: FrameType, error: type[Stopped], valid: Callable[[], bool], *, firmly: bool = False
    ) -> None:
        """Raise `error` in what runs under `guard`, if it still does and `valid` says so.

        Called on another thread. It may come to nothing: call it again while the code is there. `firmly`: it
        was swallowed before; where it is caught now it is raised once more.
        """
        if self.installed:
            self._order = _Order(guard, error, valid, firmly)
            signal.pthread_kill(threading.main_thread().ident or 0, SIGNAL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        order, self._order = self._order, None
        if order is None:
            if callable(self._before):
                self._before(number, frame)
            return
        if is_within(frame, order.guard) and order.valid():
            self.raised += 1
            if order.firmly:
                _raise_where_caught(order.error, frame, order.guard)
            raise order.error


def _raise_where_caught(error: type[Stopped], frame: FrameType | None, guard: FrameType) -> None:
    """Trace the game's code, and raise at the first line that runs while `error` is being handled.

    That is in an `except` or a `finally`, so it comes out of the `try` that they belong to. Raising ends the
    tracing; so does the first call of something else.
    """
    before = sys.gettrace()

    def trace(traced: FrameType, event: str, _argument: object) -> Any:
        if guard_of(traced) is not guard:
            sys.settrace(before)
            return None
        if is_sheltered(module_of(traced)):
            return None
        if event == "line" and isinstance(sys.exc_info()[1], error):
            raise error
        return trace

    while frame is not None and frame is not guard:
        if is_game(module_of(frame)):
            frame.f_trace = trace
        frame = frame.f_back
    sys.settrace(trace)


def is_within(frame: FrameType | None, guard: FrameType) -> bool:
    """Whether a frame is game code under this guard, or a library that it called and that holds no lock."""
    in_game = False
    while frame is not None and frame is not guard:
        if not in_game:
            module = module_of(frame)
            if is_sheltered(module):
                return False
            in_game = is_game(module)
        frame = frame.f_back
    return in_game and frame is guard


def module_of(frame: FrameType) -> str:
    """The name of the module whose code a frame runs."""
    return str(frame.f_globals.get("__name__", ""))


def is_sheltered(module: str) -> bool:
    """Whether code of this module is never left in the middle. What a match says is the match's own."""
    return module.partition(".")[0] in SHELTERED and not _is_runtime(module)


def is_game(module: str) -> bool:
    """Whether this is neither ours nor the standard library's."""
    top = module.partition(".")[0]
    return top not in SHELTERED and top not in sys.stdlib_module_names


def _is_runtime(module: str) -> bool:
    return module == "server.runtime" or module.startswith("server.runtime.")
