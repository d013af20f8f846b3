"""What is seen on the stack: how long it is there, whose it is, and when it is stopped."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from structlog.testing import capture_logs

from server.matches.interrupt import Interrupt
from server.matches.scheduler import Cancellable
from server.matches.watchdog import AGAIN_S, GROWTH_BYTES, STUBBORN, Seen, Watch, Watchdog, place_of
from server.runtime.guard import CallbackTimeout, MemoryLimit, Stopped, Subject, guard_of, guarded
from tests.support.clock import ManualClock
from tests.support.live_game import Timer

MATCH = Subject("Duel", "match-1")
CALL = Subject("rpc", name="give_gold")


class Unsignalled(Interrupt):
    """Notes what was to be stopped, and whether firmly."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[type[Stopped], bool]] = []

    def stop(
        self, guard: FrameType, error: type[Stopped], valid: Callable[[], bool], *, firmly: bool = False
    ) -> None:
        assert valid()
        self.asked.append((error, firmly))


class Watched:
    """A watchdog whose looks, beats and time are made by hand."""

    def __init__(self, watch: Watch, interrupt: Interrupt | None = None) -> None:
        self.clock = ManualClock()
        self.resident = 100
        self.busy = True
        self.timers: list[Timer] = []
        self.interrupt = interrupt or Unsignalled()
        self.dog = Watchdog(
            watch,
            self.clock.monotonic,
            lambda: self.busy,
            lambda: self.resident,
            interrupt=self.interrupt,
        )

    def serve(self) -> None:
        self.dog.serve(self._call_later)

    def look(self, frame: FrameType | None = None) -> None:
        self.dog.look(self.clock.monotonic(), frame or sys._getframe(1))

    def beat(self) -> None:
        self.timers.pop().call()

    def _call_later(self, delay: float, call: Callable[[], None]) -> Cancellable:
        timer = Timer(call)
        self.timers.append(timer)
        return timer

    @property
    def stopped(self) -> list[tuple[type[Stopped], bool]]:
        assert isinstance(self.interrupt, Unsignalled)
        return self.interrupt.asked


@contextmanager
def watched(**watch: Any) -> Iterator[Watched]:
    made = Watched(Watch(**watch))
    made.serve()
    made.dog.wake()
    yield made
    made.dog.close()


def test_code_that_blocks_is_named_once_with_its_line() -> None:
    with watched(stop_s=0) as seen, capture_logs() as logged:

        def code() -> int:
            for _ in range(5):
                seen.look()
                seen.clock.advance(0.06)
            return sys._getframe().f_lineno

        line = guarded(MATCH, code)

    (told,) = logged
    assert (told["event"], told["match_id"], told["kind"]) == ("match_blocks_loop", "match-1", "Duel")
    assert told["at"] == f"{__file__}:{line - 2}"
    assert told["function"].endswith("code")
    assert told["took_ms"] == 120
    assert seen.dog.seen[Seen.BLOCKING] == 1


def test_a_function_is_named_by_what_it_is_called_as() -> None:
    with watched() as seen, capture_logs() as logged:

        def code() -> None:
            seen.look()
            seen.clock.advance(0.1)
            seen.look()

        guarded(CALL, code)

    (told,) = logged
    assert (told["event"], told["kind"], told["name"]) == ("game_code_blocks_loop", "rpc", "give_gold")


def test_many_calls_that_are_short_are_no_long_one() -> None:
    with watched() as seen, capture_logs() as logged:
        for _ in range(50):
            guarded(MATCH, seen.look)
            seen.clock.advance(0.06)

    assert logged == []
    assert seen.stopped == []


def test_steps_of_one_call_are_told_apart_by_the_turns_of_the_loop() -> None:
    with watched() as seen, capture_logs() as logged:

        def code() -> None:
            for _ in range(50):
                seen.look()
                seen.clock.advance(0.06)
                seen.beat()

        guarded(CALL, code)

    assert logged == []


def test_what_is_no_game_code_is_not_seen() -> None:
    with watched() as seen, capture_logs() as logged:
        for _ in range(5):
            seen.look()
            seen.clock.advance(60)

    assert logged == []


def test_code_that_takes_too_long_is_stopped_again_and_again_and_then_told() -> None:
    with watched(stop_s=1.0) as seen, capture_logs() as logged:

        def code() -> None:
            seen.look()
            seen.clock.advance(0.99)
            seen.look()
            assert seen.stopped == []
            seen.clock.advance(0.01)
            for _ in range(STUBBORN + 2):
                seen.look()
                seen.look()
                seen.clock.advance(AGAIN_S)

        guarded(MATCH, code)

    assert seen.stopped[:3] == [(CallbackTimeout, False), (CallbackTimeout, False), (CallbackTimeout, True)]
    assert len(seen.stopped) == STUBBORN + 2
    assert [each["event"] for each in logged] == ["match_blocks_loop", "match_cannot_be_stopped"]
    assert seen.dog.seen[Seen.TOO_LONG] == 1


@pytest.mark.parametrize(
    ("before", "after", "stopped"),
    [
        (100, 1000 + GROWTH_BYTES, True),
        (100, 999, False),  # much, but under the limit
        (1000, 999 + GROWTH_BYTES, False),  # over the limit, but of that it took little
    ],
)
def test_over_the_limit_a_call_that_takes_much_memory_is_stopped(
    before: int, after: int, stopped: bool
) -> None:
    with watched(memory_bytes=1000) as seen:

        def code() -> None:
            seen.resident = before
            seen.look()
            seen.resident = after
            seen.look()

        guarded(MATCH, code)

    assert seen.stopped == ([(MemoryLimit, False)] if stopped else [])


def test_nothing_is_told_or_stopped_that_is_turned_off() -> None:
    with watched(warn_s=0, stop_s=0, memory_bytes=1) as seen, capture_logs() as logged:

        def code() -> None:
            seen.look()
            seen.clock.advance(3600)
            seen.look()

        guarded(MATCH, code)

    assert (logged, seen.stopped) == ([], [])


def test_without_anything_to_watch_nothing_is_started() -> None:
    with watched(warn_s=0, stop_s=0) as seen:
        assert seen.timers == []
        assert "lockgate-watchdog" not in {thread.name for thread in threading.enumerate()}


def test_it_beats_only_while_there_is_something_to_watch() -> None:
    with watched() as seen:
        seen.dog.wake()
        assert len(seen.timers) == 1  # once is enough

        seen.busy = False
        seen.beat()
        assert seen.timers == []
        seen.busy = True
        seen.dog.wake()
        assert len(seen.timers) == 1

    assert seen.timers[0].cancelled
    seen.dog.wake()
    assert len(seen.timers) == 1


def test_its_thread_looks_at_this_one_until_it_is_closed() -> None:
    looked: list[FrameType | None] = []
    seen_one = threading.Event()

    class Looking(Watchdog):
        def look(self, now: float, frame: FrameType | None) -> None:
            looked.append(frame and guard_of(frame))
            seen_one.set()

    dog = Looking(Watch(), ManualClock().monotonic, lambda: True, lambda: 0)
    dog.serve(lambda delay, call: Timer(call))
    dog.wake()
    assert guarded(MATCH, seen_one.wait, 10)
    dog.close()

    assert looked[0] is not None
    assert "lockgate-watchdog" not in {thread.name for thread in threading.enumerate()}


class Onlooking:
    """Wants to see the stack from the `after`th time on that it is asked."""

    def __init__(self, after: int = 3) -> None:
        self.asked = 0
        self.frames: list[str] = []
        self.shown = threading.Event()
        self._after = after

    def wants(self, now: float) -> bool:
        self.asked += 1
        return self.asked >= self._after

    def look(self, now: float, frame: FrameType) -> None:
        names = []
        outer: FrameType | None = frame
        while outer is not None:
            names.append(outer.f_code.co_name)
            outer = outer.f_back
        self.frames = names
        self.shown.set()


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("watch", [Watch(), Watch(warn_s=0, stop_s=0)])
def test_an_onlooker_is_shown_the_stack_with_game_code_or_without(busy: bool, watch: Watch) -> None:
    seen = Watched(watch)
    seen.dog.onlooker = onlooking = Onlooking()

    seen.serve()
    if busy:
        seen.dog.wake()
    assert onlooking.shown.wait(10)
    seen.dog.close()

    assert "test_an_onlooker_is_shown_the_stack_with_game_code_or_without" in onlooking.frames
    assert "lockgate-watchdog" not in {thread.name for thread in threading.enumerate()}


def test_off_the_main_thread_it_says_that_nothing_can_be_stopped() -> None:
    seen = Watched(Watch(), Interrupt())

    with capture_logs() as logged:
        thread = threading.Thread(target=seen.serve)
        thread.start()
        thread.join()
    seen.dog.close()

    assert [each["event"] for each in logged] == ["watchdog_only_warns"]


def test_looks_are_closer_than_what_they_are_to_see() -> None:
    assert Watch(warn_s=0.05, stop_s=2).look_s == pytest.approx(0.01)
    assert Watch(warn_s=0, stop_s=60).look_s == 0.025
    assert Watch(warn_s=0.0001).look_s == 0.005


def test_the_place_is_the_games_even_within_a_library() -> None:
    scope: dict[str, Any] = {"__name__": "json.decoder", "sys": sys}
    exec("def library(look): return look(sys._getframe())", scope)

    def code() -> tuple[str, str]:
        place: tuple[str, str] = scope["library"](place_of)
        return place

    at, function = guarded(MATCH, code)

    assert at.startswith(f"{__file__}:")
    assert function.endswith("code")


def test_whoever_stands_at_a_breakpoint_has_all_the_time() -> None:
    with watched() as seen, capture_logs() as logged:
        scope: dict[str, Any] = {"__name__": "pdb", "look": seen.look, "sys": sys}
        exec("def prompt(): look(sys._getframe())", scope)

        def code() -> None:
            seen.look()
            for _ in range(5):
                seen.clock.advance(60)
                scope["prompt"]()
            seen.look()

        guarded(MATCH, code)

    assert (logged, seen.stopped) == ([], [])
