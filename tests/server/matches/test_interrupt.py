"""Code that does not come back is stopped from another thread, and nothing else is."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

from server.matches.interrupt import SIGNAL, Interrupt, is_game, is_sheltered, is_within
from server.runtime.guard import CallbackTimeout, Subject, guard_of, guarded

SUBJECT = Subject("Duel", "match-1")
LIMIT_S = 10


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    made = Interrupt()
    assert made.install()
    yield made
    made.remove()


def always() -> bool:
    return True


@contextmanager
def stopped_again_and_again(interrupt: Interrupt, polite: int = 2) -> Iterator[None]:
    """Another thread stops whatever game code this one is in, firmly after some times."""
    over, thread = threading.Event(), threading.get_ident()

    def stop() -> None:
        times = 0
        while not over.wait(0.005):
            guard = guard_of(sys._current_frames()[thread])
            if guard is not None:
                times += 1
                interrupt.stop(guard, CallbackTimeout, always, firmly=times > polite)

    stopper = threading.Thread(target=stop)
    stopper.start()
    give_up = threading.Timer(LIMIT_S, lambda: os.kill(os.getpid(), signal.SIGABRT))
    give_up.start()
    try:
        yield
    finally:
        over.set()
        stopper.join()
        give_up.cancel()


def loop() -> None:
    while True:
        pass


def wait() -> None:
    time.sleep(60)


def hide() -> None:
    while True:
        try:
            time.sleep(1)
        except BaseException:
            always()


def hide_with_finally() -> None:
    while True:
        try:
            time.sleep(1)
        finally:
            continue  # noqa: B012  # the fault


def hide_with_suppress() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(1)


def hide_below() -> None:
    def below() -> int:
        try:
            time.sleep(1)
        except BaseException:
            return 0
        return 1

    while True:
        below()


@pytest.mark.parametrize("code", [loop, wait, hide, hide_with_finally, hide_with_suppress, hide_below])
def test_code_that_does_not_come_back_is_stopped(interrupt: Interrupt, code: Callable[[], None]) -> None:
    with stopped_again_and_again(interrupt), pytest.raises(CallbackTimeout):
        guarded(SUBJECT, code)

    assert interrupt.raised > 0


def test_who_was_traced_to_be_stopped_is_traced_no_longer(interrupt: Interrupt) -> None:
    before = sys.gettrace()

    with stopped_again_and_again(interrupt, polite=0), pytest.raises(CallbackTimeout):
        guarded(SUBJECT, loop)
    always()

    assert sys.gettrace() is before


def test_no_exception_ever_comes_out_beside_the_guard(interrupt: Interrupt) -> None:
    # Signals at every moment of calls that are just ending: each is stopped, or has returned.
    calls = stopped = 0
    with stopped_again_and_again(interrupt):
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            calls += 1
            try:
                guarded(SUBJECT, sum, [1, 2, 3])
                guarded(SUBJECT, lambda: sum(each for each in range(50)))
            except CallbackTimeout:
                stopped += 1

    assert calls > stopped >= 0


def test_only_the_call_that_was_meant_is_stopped(interrupt: Interrupt) -> None:
    past: list[FrameType] = []
    guarded(SUBJECT, lambda: past.append(frame) if (frame := guard_of(sys._getframe())) else None)

    def other() -> str:
        interrupt.stop(past[0], CallbackTimeout, always)
        return "goes on"

    assert guarded(SUBJECT, other) == "goes on"
    assert interrupt.raised == 0


def test_a_call_is_not_stopped_once_it_is_too_late(interrupt: Interrupt) -> None:
    def code() -> str:
        guard = guard_of(sys._getframe())
        assert guard is not None
        interrupt.stop(guard, CallbackTimeout, lambda: False)
        return "goes on"

    assert guarded(SUBJECT, code) == "goes on"


@pytest.mark.parametrize(
    ("module", "within"),
    [
        ("logging", False),
        ("server.game.facade", False),
        ("json.decoder", True),
        ("server.runtime.dispatcher", True),
        ("my_game", True),
    ],
)
def test_what_holds_locks_is_not_left_in_the_middle(module: str, within: bool) -> None:
    called: dict[str, Any] = {"__name__": module, "sys": sys}
    game: dict[str, Any] = {"__name__": "my_game"}
    exec("def inner(judge): return judge(sys._getframe())", called)
    exec("def code(inner, judge): return inner(judge)", game)

    def judge(frame: FrameType) -> bool:
        guard = guard_of(frame)
        assert guard is not None
        return is_within(frame, guard)

    assert guarded(SUBJECT, game["code"], called["inner"], judge) is within


@pytest.mark.parametrize(
    ("module", "sheltered", "game"),
    [
        ("server.storage.store", True, False),
        ("server.runtime.dispatcher", False, False),
        ("server.runtimes", True, False),
        ("protocol.json", True, False),
        ("logging.handlers", True, False),
        ("asyncio.tasks", True, False),
        ("json.decoder", False, False),
        ("my_game.rules", False, True),
        ("serverless", False, True),
    ],
)
def test_modules_are_told_apart(module: str, sheltered: bool, game: bool) -> None:
    assert (is_sheltered(module), is_game(module)) == (sheltered, game)


def test_servers_of_one_process_do_not_get_in_each_others_way() -> None:
    first, second = Interrupt(), Interrupt()
    assert first.install()
    assert second.install()

    with stopped_again_and_again(first), pytest.raises(CallbackTimeout):
        guarded(SUBJECT, loop)
    first.remove()
    with stopped_again_and_again(second), pytest.raises(CallbackTimeout):
        guarded(SUBJECT, loop)
    second.remove()

    os.kill(os.getpid(), SIGNAL)  # one that comes late hurts nobody


def test_off_the_main_thread_nothing_is_stopped() -> None:
    made = Interrupt()
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(made.install()))
    thread.start()
    thread.join()

    made.stop(sys._getframe(), CallbackTimeout, always)
    made.remove()

    assert answers == [False]
    assert made.raised == 0
