"""Who grows while the process has too much memory, and that only then is it measured."""

import mmap
import os
from typing import Any

from structlog.testing import capture_logs

from server.matches.memory import (
    CHECK_S,
    FREE_S,
    MIB,
    PAUSE_S,
    SUSPECT_BYTES,
    WEIGH_S,
    MemoryScales,
    resident_bytes,
)
from server.matches.pace import Pace, Patience
from server.matches.scheduler import Scheduler
from server.runtime.run import Cause
from tests.support.clock import ManualClock
from tests.support.live_game import Loop

LIMIT = 100 * MIB


class Growing:
    """A match that takes so much memory with each tick."""

    kind = "Growing"

    def __init__(self, scene: "Scene", match_id: str, takes: int) -> None:
        self.match_id = match_id
        self.pace = Pace(10, scene.clock.monotonic(), Patience())
        self.ended: Cause | None = None
        self.takes = takes
        self._scene = scene

    def tick(self) -> bool:
        if self.ended is None:
            self._scene.resident += self.takes
        return self.ended is None

    def give_up(self, cause: Cause) -> None:
        self.ended = cause


class Scene:
    def __init__(self, resident: int = 10 * MIB) -> None:
        self.clock = ManualClock()
        self.loop = Loop(self.clock)
        self.resident = resident
        self.measured = 0
        self.garbage = 0
        self.freed = 0
        self.scheduler = Scheduler(self.clock.monotonic, self.loop.call_later)
        self.scales = MemoryScales(
            LIMIT,
            self.scheduler,
            self.clock.monotonic,
            self._measure,
            lambda each: each if isinstance(each, Growing) else None,
            self._free,
        )

    def match(self, match_id: str, takes: int) -> Growing:
        match = Growing(self, match_id, takes)
        self.scheduler.add(match)
        return match

    def play(self, seconds: float) -> list[Any]:
        with capture_logs() as logged:
            for _ in range(round(seconds / 0.05)):
                self.scales.check()
                self.loop.advance(0.05)
        return logged

    def _free(self) -> None:
        self.freed += 1
        self.resident -= self.garbage
        self.garbage = 0

    def _measure(self) -> int:
        self.measured += 1
        return self.resident


def test_under_the_limit_ticks_are_not_measured() -> None:
    scene = Scene()
    scene.match("a", takes=1)

    scene.play(10)

    assert scene.measured <= 10 / CHECK_S + 1


def test_the_match_that_grows_most_is_ended_and_no_other() -> None:
    scene = Scene()
    small, large = scene.match("small", takes=MIB // 4), scene.match("large", takes=2 * MIB)

    logged = scene.play(10)

    assert (small.ended, large.ended) == (None, Cause.MEMORY)
    over, takes = logged[:2]
    assert (over["event"], over["limit_mib"]) == ("memory_over_limit", 100)
    assert (takes["event"], takes["match_id"], takes["kind"]) == ("match_takes_memory", "large", "Growing")
    assert takes["mib"] >= 10


def test_matches_that_grow_little_are_left_alone_and_weighed_again_later() -> None:
    scene = Scene(resident=LIMIT + 1)
    match = scene.match("a", takes=SUSPECT_BYTES // 20)

    scene.play(2 * (PAUSE_S + WEIGH_S))

    assert match.ended is None
    assert scene.scales.weighings == 2


def test_memory_that_was_given_back_meanwhile_ends_nobody() -> None:
    scene = Scene(resident=LIMIT + 1)
    match = scene.match("a", takes=2 * MIB)

    scene.play(WEIGH_S / 2)
    scene.resident = 0
    match.takes = 0
    scene.play(WEIGH_S)

    assert match.ended is None
    before = scene.measured
    scene.play(1)
    assert scene.measured == before  # the scales are put away


def test_a_match_that_ends_by_itself_is_not_weighed() -> None:
    scene = Scene(resident=LIMIT + 1)
    match = scene.match("a", takes=8 * MIB)
    match.ended = Cause.FINISHED

    scene.play(WEIGH_S + 1)

    assert match.ended is Cause.FINISHED


def test_garbage_is_freed_before_anybody_is_suspected() -> None:
    scene = Scene(resident=LIMIT + 1)
    scene.garbage = 2
    match = scene.match("a", takes=0)

    assert scene.play(10) == []

    assert (match.ended, scene.freed, scene.scales.weighings) == (None, 1, 0)


def test_garbage_is_not_collected_again_and_again() -> None:
    scene = Scene(resident=LIMIT + 1)

    scene.play(FREE_S - 1)

    assert scene.freed == 1


def test_the_memory_of_the_process_is_known() -> None:
    before = resident_bytes()
    # A mapping of its own: what tests before have freed is resident already.
    with mmap.mmap(-1, 32 * MIB) as held:
        held.write(os.urandom(32 * MIB))
        held_too = resident_bytes()

    assert before > MIB
    assert held_too - before > 24 * MIB
