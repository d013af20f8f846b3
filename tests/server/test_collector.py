"""Full collections: between ticks if they can be, never not at all."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from server.collector import CHECK_S, NEEDED, SHARE, URGENT_S, Collector
from tests.support.clock import ManualClock
from tests.support.live_game import Loop


class Node:
    """Garbage that only a collection frees."""

    def __init__(self) -> None:
        self.own = self


class Scene:
    """A collector on a loop moved by hand; the next tick is due `ahead` seconds from now."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.loop = Loop(self.clock)
        self.ahead: float | None = None
        self.collector = Collector(
            self.clock, lambda: None if self.ahead is None else self.clock.monotonic() + self.ahead
        )
        self.took = 0.0
        """What full collections take by the clock."""

    def start(self) -> None:
        gc.callbacks.append(self._pass_time)
        self.collector.start(self.loop.call_later)

    def stop(self) -> None:
        self.collector.stop()
        gc.callbacks.remove(self._pass_time)

    def _pass_time(self, phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == 2:  # told before the collector is
            self.clock.advance(self.took)


@pytest.fixture
def scene() -> Iterator[Scene]:
    before = gc.get_threshold()
    made = Scene()
    made.start()
    yield made
    made.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_it_ends_a_start_without_collections(scene: Scene) -> None:
    scene.stop()
    gc.disable()

    scene.start()

    assert gc.isenabled()


def old_garbage() -> weakref.ref[Node]:
    """Garbage that smaller collections have passed by, and so many of them that a full one is due."""
    node = Node()
    gone = weakref.ref(node)
    for _ in range(NEEDED + 1):
        gc.collect(1)
    del node
    gc.collect(1)
    return gone


def test_the_interpreter_runs_no_full_collection_by_itself(scene: Scene) -> None:
    before = gc.get_stats()[2]["collections"]

    kept = [[Node()] for _ in range(200_000)]

    assert gc.get_stats()[2]["collections"] == before
    assert len(kept) == 200_000


def test_old_garbage_is_freed_while_no_tick_is_due(scene: Scene) -> None:
    gone = old_garbage()
    assert gone() is not None

    scene.loop.advance(CHECK_S)

    assert gone() is None
    assert (scene.collector.full, scene.collector.forced) == (1, 0)


def test_nothing_is_collected_while_nothing_needs_it(scene: Scene) -> None:
    scene.loop.advance(60)

    assert scene.collector.full == 0


def test_a_tick_that_is_due_too_soon_goes_first(scene: Scene) -> None:
    scene.took = 0.02
    old_garbage()
    scene.loop.advance(CHECK_S)  # now it is known how long one takes
    assert scene.collector.full == 1
    old_garbage()

    scene.ahead = 0.01
    scene.loop.advance(CHECK_S + scene.took * SHARE)
    assert scene.collector.full == 1
    scene.ahead = 0.03
    scene.loop.advance(0.05)

    assert (scene.collector.full, scene.collector.forced) == (2, 0)


def test_without_any_moment_of_its_own_it_is_forced(scene: Scene) -> None:
    gone = old_garbage()
    scene.ahead = 0.0

    scene.loop.advance(CHECK_S + URGENT_S - 0.1)
    assert gone() is not None
    scene.loop.advance(0.2)

    assert gone() is None
    assert (scene.collector.full, scene.collector.forced) == (1, 1)


def test_a_rush_of_garbage_does_not_wait(scene: Scene) -> None:
    scene.ahead = 0.0
    for _ in range(101):
        gc.collect(1)

    scene.loop.advance(CHECK_S)

    assert scene.collector.forced == 1


def test_full_collections_take_a_small_share_of_the_time(scene: Scene) -> None:
    scene.took = 0.1
    old_garbage()
    scene.loop.advance(CHECK_S)
    for _ in range(100):
        old_garbage()
        scene.loop.advance(0.1)

    assert scene.collector.full <= 3  # in ten seconds


def test_memory_does_not_grow_with_garbage(scene: Scene) -> None:
    scene.ahead = 0.0
    held = []
    for _ in range(40):
        made = [Node() for _ in range(5_000)]
        gc.collect(1)  # they live long enough to be passed by
        del made
        for _ in range(3):
            gc.collect(1)
        scene.loop.advance(1.0)
        held.append(sum(isinstance(each, Node) for each in gc.get_objects()))

    assert max(held[20:]) <= max(held[:20])
    assert min(held) == 0


def test_pauses_are_measured(scene: Scene) -> None:
    before = scene.collector.pauses.count
    scene.took = 0.25

    gc.collect()

    assert scene.collector.pauses.count == before + 1
    assert scene.collector.pauses.total >= 0.25
