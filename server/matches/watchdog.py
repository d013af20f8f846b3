"""Sees game code that holds up the server: tells whose it is and where it is, and stops it in the end.

A thread looks at the stack of the loop's thread, so watching costs game code nothing. It looks only while
there is game code that could run. A function of C that keeps the interpreter to itself is not seen.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import FrameType
from typing import Protocol

import structlog

from server.matches.interrupt import Interrupt, is_game, module_of
from server.matches.scheduler import Cancellable
from server.runtime.guard import CallbackTimeout, MemoryLimit, Stopped, Subject, guard_of, subject_of

log = structlog.get_logger("lockgate.matches")

LOOK_S = (0.005, 0.025)
"""The least and the most between two looks."""
ONLOOK_S = 0.05
"""Between two looks of the onlooker while there is no game code to be seen: each costs the loop a moment."""
AGAIN_S = 0.1
"""Until code that was to be stopped, and still runs, is stopped again."""
POLITE_STOPS = 2
"""Code that catches what stops it so often is stopped where it catches it."""
STUBBORN = 10
"""So often it was stopped in vain when that is told."""
GROWTH_BYTES = 16 * 1024 * 1024
"""Over the memory limit, a call that has taken so much is stopped."""

DEBUGGERS = frozenset({"bdb", "pdb", "ipdb", "IPython", "debugpy", "pydevd"})
"""Whoever stands at a breakpoint has all the time."""

CallLater = Callable[[float, Callable[[], None]], Cancellable]


class Seen(StrEnum):
    """What was seen of game code; the label of the metric."""

    BLOCKING = "blocking"
    TOO_LONG = "too_long"
    TOO_LARGE = "too_large"


class Onlooker(Protocol):
    """Who else looks at what the loop's thread does, on the watchdog's thread."""

    def wants(self, now: float) -> bool:
        """Whether to be shown the stack now. Asked at every look, so that it must cost nothing."""
        ...

    def look(self, now: float, frame: FrameType) -> None:
        """`frame` is the innermost; not to be kept."""


@dataclass(frozen=True, slots=True)
class Watch:
    """After how long game code is told of (`warn_s`) and stopped (`stop_s`); 0: never.

    `memory_bytes`: over so much of the whole process, code that takes more is stopped; 0: no limit.
    """

    warn_s: float = 0.1
    stop_s: float = 2.0
    memory_bytes: int = 0

    @property
    def look_s(self) -> float:
        """Between two looks."""
        shortest = min([each for each in (self.warn_s, self.stop_s) if each > 0], default=0.1)
        return min(max(shortest / 5, LOOK_S[0]), LOOK_S[1])


@dataclass(slots=True)
class _Sight:
    """A call that was seen: in which turn of the loop, since when, and how much memory there was then."""

    guard: FrameType
    turn: int
    since: float
    resident: int
    told: bool = False
    stops: int = 0
    next_stop: float = 0.0


class Watchdog:
    """`serve` it on the loop's thread, `wake` it before game code is called, `close` it at the end.

    `busy`: whether there is game code that may run. `resident`: the bytes of memory that the process has.
    `on_beat`: called on the loop, many times a second while it is busy.
    """

    def __init__(
        self,
        watch: Watch,
        monotonic: Callable[[], float],
        busy: Callable[[], bool],
        resident: Callable[[], int],
        on_beat: Callable[[], None] | None = None,
        interrupt: Interrupt | None = None,
    ) -> None:
        self._watch = watch
        self._monotonic = monotonic
        self._busy = busy
        self._resident = resident
        self._on_beat = on_beat
        self._interrupt = interrupt or Interrupt()
        self._call_later: CallLater | None = None
        self._timer: Cancellable | None = None
        self._turn = 0
        """Of the loop: while it stands still, the loop does."""
        self._loop_thread = 0
        self._thread: threading.Thread | None = None
        self._awake, self._over = threading.Event(), threading.Event()
        self._sight: _Sight | None = None
        self.onlooker: Onlooker | None = None
        """Set before `serve`: then the thread runs all the time, game code or not."""
        self.seen: Counter[Seen] = Counter(dict.fromkeys(Seen, 0))

    def serve(self, call_later: CallLater) -> None:
        """Watch the thread that calls this, on whose loop `call_later` is."""
        self._loop_thread = threading.get_ident()
        if self.onlooker is not None:
            self._start()
        if not (self._watch.warn_s or self._watch.stop_s or self._watch.memory_bytes):
            return
        self._call_later = call_later
        if not self._interrupt.install() and (self._watch.stop_s or self._watch.memory_bytes):
            log.warning("watchdog_only_warns", reason="not on the main thread")

    def wake(self) -> None:
        """Game code is going to run."""
        if self._timer is not None or self._call_later is None:
            return
        self._timer = self._call_later(self._watch.look_s, self._beat)
        self._awake.set()
        self._start()

    def close(self) -> None:
        """Look no more."""
        self._call_later = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._over.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join()
        self._interrupt.remove()

    def look(self, now: float, frame: FrameType | None) -> None:
        """Judge what the loop's thread does: `frame` is the innermost on its stack."""
        guard, turn = guard_of(frame), self._turn
        if frame is None or guard is None or _is_debugged(frame, guard):
            self._sight = None
            return
        sight = self._sight
        # A call that waits has its guard on the stack again and again: the turn tells its steps apart.
        if sight is None or sight.guard is not guard or sight.turn != turn:
            resident = self._resident() if self._watch.memory_bytes else 0
            self._sight = _Sight(guard, turn, now, resident)
            return
        took = now - sight.since
        if not sight.told and 0 < self._watch.warn_s <= took:
            sight.told = True
            self.seen[Seen.BLOCKING] += 1
            _tell("blocks_loop", subject_of(guard), frame, took)
        if 0 < self._watch.stop_s <= took:
            self._stop(sight, frame, now, CallbackTimeout)
        elif self._grows(sight):
            self._stop(sight, frame, now, MemoryLimit)

    def _grows(self, sight: _Sight) -> bool:
        limit = self._watch.memory_bytes
        return limit > 0 and (has := self._resident()) > limit and has - sight.resident >= GROWTH_BYTES

    def _stop(self, sight: _Sight, frame: FrameType, now: float, error: type[Stopped]) -> None:
        if now < sight.next_stop:
            return
        sight.next_stop = now + AGAIN_S
        sight.stops += 1
        if sight.stops == 1:
            self.seen[Seen.TOO_LONG if error is CallbackTimeout else Seen.TOO_LARGE] += 1
        if sight.stops == STUBBORN:
            _tell("cannot_be_stopped", subject_of(sight.guard), frame, now - sight.since)
        turn = sight.turn
        self._interrupt.stop(
            sight.guard, error, lambda: self._turn == turn, firmly=sight.stops > POLITE_STOPS
        )

    def _beat(self) -> None:
        self._turn += 1
        self._timer = None
        if self._on_beat is not None:
            self._on_beat()
        if self._call_later is not None and self._busy():
            self._timer = self._call_later(self._watch.look_s, self._beat)
        else:
            self._awake.clear()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="lockgate-watchdog", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            if not self._awake.is_set():
                self._sight = None
            if self._awake.wait(None if self.onlooker is None else ONLOOK_S):
                if self._over.wait(self._watch.look_s):
                    break
                # Nothing of the stack outlives the look, but the guard.
                self.look(self._monotonic(), sys._current_frames().get(self._loop_thread))
            if self.onlooker is not None:
                self._show(self.onlooker, self._monotonic())
        self._sight = None

    def _show(self, onlooker: Onlooker, now: float) -> None:
        if onlooker.wants(now) and (frame := sys._current_frames().get(self._loop_thread)) is not None:
            onlooker.look(now, frame)


def _tell(what: str, subject: Subject, frame: FrameType, took: float) -> None:
    at, function = place_of(frame)
    took_ms = round(took * 1000)
    if subject.match_id:
        log.warning(
            f"match_{what}",
            match_id=subject.match_id,
            kind=subject.kind,
            at=at,
            function=function,
            took_ms=took_ms,
        )
    else:
        log.warning(
            f"game_code_{what}",
            kind=subject.kind,
            name=subject.name,
            at=at,
            function=function,
            took_ms=took_ms,
        )


def _is_debugged(frame: FrameType, guard: FrameType) -> bool:
    found: FrameType | None = frame
    while found is not None and found is not guard:
        if module_of(found).partition(".")[0] in DEBUGGERS:
            return True
        found = found.f_back
    return False


def place_of(frame: FrameType) -> tuple[str, str]:
    """File and line, and function, of the innermost frame that is the game's; else of the innermost."""
    found: FrameType | None = frame
    guard = guard_of(frame)
    while found is not None and found is not guard:
        if is_game(module_of(found)) and "site-packages" not in found.f_code.co_filename:
            frame = found
            break
        found = found.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}", frame.f_code.co_qualname
