"""What is told of a stack, and how often. With a running server: `tests/e2e/test_slow_callbacks.py`."""

import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from structlog.testing import capture_logs

from server.observe.loop_lag import BEAT_S, LoopLag
from server.observe.slow_callbacks import SlowCallbacks, handler_of, place_of
from server.runtime.guard import Subject, guarded
from tests.support.clock import ManualClock

SLOW_S = 0.1


class Timer:
    def cancel(self) -> None:
        """Nothing is due by itself."""


class Stalling:
    """A loop whose beat is late when the test says so."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lag = LoopLag(self.clock.monotonic, SLOW_S)
        self.slow = SlowCallbacks(self.lag, SLOW_S)
        self.beat: Callable[[], None]
        self.lag.start(self._call_later)

    def stall(self, seconds: float) -> None:
        self.clock.advance(BEAT_S + seconds)

    def look(self, frame: FrameType | None = None) -> None:
        """What the other thread does at each of its looks."""
        now = self.clock.monotonic()
        if self.slow.wants(now):
            self.slow.look(now, frame or sys._getframe(1))

    def _call_later(self, _: float, call: Callable[[], None]) -> Timer:
        self.beat = call
        return Timer()


def test_a_stall_is_told_once_with_its_place() -> None:
    loop = Stalling()

    with capture_logs() as logged:
        loop.stall(SLOW_S - 0.001)
        loop.look()
        assert logged == []
        loop.stall(0.05)
        loop.look()
        loop.stall(0.5)
        loop.look()

    assert [each["event"] for each in logged] == ["loop_blocked"]
    assert "test_slow_callbacks.py:" in logged[0]["at"]
    assert logged[0]["function"] == "test_a_stall_is_told_once_with_its_place"
    assert loop.slow.seen == 1


def test_the_lag_is_told_when_the_stall_is_over() -> None:
    loop = Stalling()

    with capture_logs() as logged:
        loop.stall(0.25)
        loop.beat()
        loop.stall(SLOW_S - 0.01)
        loop.beat()

    assert [(each["event"], each["late_ms"]) for each in logged] == [("loop_late", 250)]


def test_many_stalls_in_a_row_are_few_lines() -> None:
    loop = Stalling()

    with capture_logs() as logged:
        for _ in range(20):
            loop.stall(0.21 - BEAT_S)
            loop.look()
            loop.beat()

    told = [each for each in logged if each["event"] == "loop_blocked"]
    assert [each["untold"] for each in told] == [0, 4, 4, 4]
    assert len([each for each in logged if each["event"] == "loop_late"]) == 4
    assert loop.slow.seen == 20


def test_game_code_is_left_to_the_watchdog() -> None:
    loop = Stalling()
    loop.stall(1)

    with capture_logs() as logged:
        guarded(Subject("rpc", name="give_gold"), lambda: loop.look(sys._getframe()))

    assert logged == []


def test_a_process_that_stood_still_as_a_whole_is_no_slow_callback() -> None:
    loop = Stalling()
    loop.stall(1)

    with capture_logs() as logged:
        loop.look(frame_in("selectors", "select"))

    assert logged == []


def frame_in(module: str, name: str, **local: Any) -> FrameType:
    """The frame of a function of this module and name with these local variables."""
    assigned = "; ".join(f"{key} = given[{key!r}]" for key in local) or "pass"
    scope: dict[str, Any] = {"__name__": module, "sys": sys}
    exec(f"def made(**given):\n    {assigned}\n    return sys._getframe()\n", scope)
    made = scope["made"]
    made.__code__ = made.__code__.replace(co_qualname=name)  # by which, and its module, a frame is known
    frame: FrameType = made(**local)
    return frame


def test_what_cannot_be_asked_yet_is_left_out() -> None:
    assert handler_of(frame_in("server.router", "Router.answer", payload=b"{")) == {}
    assert handler_of(frame_in("server.perform", "Performer.play", session=None)) == {}


def test_the_place_is_ours_even_within_a_library() -> None:
    places: list[tuple[str, str]] = []

    def default(_: object) -> None:
        places.append(place_of(sys._getframe().f_back or sys._getframe()))

    json.dumps(object(), default=default)

    assert places[0][1] == "test_the_place_is_ours_even_within_a_library"
