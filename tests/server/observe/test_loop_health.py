"""The parts together, on a loop that runs."""

import asyncio
import time

import pytest

from server.observe.loop_health import LoopHealth


@pytest.mark.parametrize(("slow_s", "told"), [(0.1, True), (0.0, False)])
def test_there_is_an_onlooker_only_if_somebody_is_to_be_told(slow_s: float, told: bool) -> None:
    assert (LoopHealth(time.monotonic, slow_s).onlooker is not None) is told


async def test_it_beats_from_start_to_stop() -> None:
    health = LoopHealth(time.monotonic, 0.0)

    health.start(asyncio.get_running_loop())
    async with asyncio.timeout(10):
        while health.lag.beats < 3:  # noqa: ASYNC110  # nobody tells of a beat
            await asyncio.sleep(0.01)
    health.stop()

    assert health.lag.lags.count == health.lag.beats
    assert health.lag.on_time
