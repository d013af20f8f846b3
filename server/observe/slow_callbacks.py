"""Names what holds the event loop up, while it does: the message, route or task, and the line it is at.

Another thread reads it off the stack (`matches/watchdog.py` has one), so that nothing is noted while all goes
well. Game code is named there too, by its match. A function of C that keeps the interpreter to itself is seen
when it is over, by the lag.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import structlog

from server.observe.log_rate import LogRate
from server.observe.loop_lag import LOG_EVERY_S, LoopLag

log = structlog.get_logger("lockgate.loop")

Names = Callable[[Mapping[str, Any]], dict[str, str]]
"""What the local variables of a function tell of what it works on."""

HANDLERS: Mapping[tuple[str, str], Names] = {
    ("server.perform", "Performer.play"): lambda local: _session(local.get("session")),
    ("server.router", "Router.answer"): lambda local: _message(local.get("message")),
    ("server.router", "Router.finish"): lambda local: (
        _message(local.get("message")) | _session(local.get("me"))
    ),
    ("server.web.site", "_guarded.<locals>.handle"): lambda local: {
        "method": local["route"].method,
        "route": local["route"].path,
    },
}
"""Functions that everything of a kind passes through, by module and name: only these are asked."""
GAME = "server.runtime.guard"
"""On the stack there is game code, which the watchdog names."""
POLLING = frozenset({"asyncio.base_events", "asyncio.runners", "selectors"})
"""Modules that the loop's thread is in while it waits. Then it was the whole process that stood still."""
OURS = frozenset({"server", "protocol"})


class SlowCallbacks:
    """`start` it on the loop. Its other methods are called on another thread."""

    def __init__(self, lag: LoopLag, slow_s: float) -> None:
        self._lag = lag
        self._slow_s = slow_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told_beat = -1
        self._rate = LogRate(LOG_EVERY_S)
        self.seen = 0
        """Stalls that were found something on the stack for."""

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def wants(self, now: float) -> bool:
        """Whether the loop is held up for so long that its stack should be looked at; once for each stall."""
        return self._lag.overdue(now) >= self._slow_s and self._lag.beats != self._told_beat

    def look(self, now: float, frame: FrameType) -> None:
        """Tell what the loop's thread is doing. `frame` is the innermost on its stack."""
        self._told_beat = self._lag.beats
        if _module(frame) in POLLING:
            return
        found = handler_of(frame)
        if found is None:
            return
        self.seen += 1
        untold = self._rate.untold(now)
        if untold is not None:
            at, function = place_of(frame)
            log.warning(
                "loop_blocked",
                **(found or self._task()),
                at=at,
                function=function,
                took_ms=round(self._lag.overdue(now) * 1000),
                untold=untold,
            )

    def _task(self) -> dict[str, str]:
        task = None if self._loop is None else asyncio.current_task(self._loop)
        return {} if task is None else {"task": task.get_name()}


def handler_of(frame: FrameType | None) -> dict[str, str] | None:
    """What the frames from this one outwards are at work on, as fields of a log line; None: on game code."""
    found: dict[str, str] = {}
    while frame is not None:
        module = _module(frame)
        if module == GAME:
            return None
        names = HANDLERS.get((module, frame.f_code.co_qualname))
        if names is not None:
            found = names(frame.f_locals) | found
        frame = frame.f_back
    return found


def place_of(frame: FrameType) -> tuple[str, str]:
    """File and line, and function, of the innermost frame that is of no library; else of the innermost."""
    found: FrameType | None = frame
    while found is not None:
        top = _module(found).partition(".")[0]
        if top in OURS or not (top in sys.stdlib_module_names or "site-packages" in found.f_code.co_filename):
            frame = found
            break
        found = found.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}", frame.f_code.co_qualname


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _message(message: object) -> dict[str, str]:
    return {} if message is None else {"message": type(message).__name__}


def _session(holder: object) -> dict[str, str]:
    session_id = getattr(holder, "session_id", "")
    return {"session_id": session_id} if session_id else {}
