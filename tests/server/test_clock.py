"""The machine's clock, held against the standard library's."""

import time

from server.clock import SystemClock


def test_wall_time_is_the_epoch_in_seconds() -> None:
    before = time.time()

    now = SystemClock().wall()

    assert before <= now <= time.time()


def test_monotonic_time_never_goes_back() -> None:
    clock = SystemClock()

    first, second = clock.monotonic(), clock.monotonic()

    assert first <= second
    assert first >= time.monotonic() - 60
