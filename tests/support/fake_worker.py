"""A worker without players, run as a process: what it does is a setting of the plan, `act`.

`python tests/support/fake_worker.py` instead of `python -m loadtest.worker_process`.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from loadtest.failures import SwarmError
from loadtest.histogram import Histogram
from loadtest.notes import Batch, Begin, Done, Note, Ready, Sample, Share, Stop, Told
from loadtest.plan import Plan
from loadtest.result import Truth
from loadtest.worker_process import main

COMMAND = (sys.executable, str(Path(__file__).resolve()))
STICKY = "a worker that is stuck"


def encoded(*milliseconds: float) -> str:
    histogram = Histogram()
    for each in milliseconds:
        histogram.record(round(each * 1000))
    return histogram.take()


def sample(at_s: float, **more: object) -> Sample:
    members: dict[str, object] = {
        "at_s": at_s,
        "connected": 5,
        "counts": {"sent": 10},
        "errors": {},
        "timings": {"echo": [Batch(response=encoded(2, 4), service=encoded(1, 2))]},
        "truth": Truth(sent=10, expected=10, delivered=10),
        "cpu_s": 0.25,
        "lag": encoded(1),
        "slip": encoded(2),
        "gc_max_ms": 0.5,
    }
    return Sample(**{**members, **more})  # type: ignore[arg-type]  # the members are named by the tests


class FakeWorker:
    """Plays no player; as `act` says it does well, fails, dies, is mute, is stuck, or waits to be stopped."""

    def __init__(self, plan: Plan, share: Share, tell: Callable[[Note], None]) -> None:
        self._act = plan.settings.get("act", "well")
        self._is_odd_one = share.worker == plan.settings.get("who", share.worker)
        self._share = share
        self._tell = tell
        if self._does("refuse"):
            raise SwarmError("the server is not there")

    async def run(self, orders: asyncio.Queue[Begin | Stop]) -> None:
        if self._does("fail early"):
            raise ValueError("with a secret in it")
        self._tell(Ready())
        if isinstance(await orders.get(), Stop):
            self._tell(Done(measured_from_s=0, measured_s=0, stopped_early=True))
            return
        print("a scenario may print")  # noqa: T201  # it must not end up among the notes
        await self._misbehave()
        self._tell(Told(at_s=0.5, text="the ramp is over"))
        for second in range(1, 4):
            self._tell(sample(second))
        stopped = False
        if self._does("wait"):
            stopped = isinstance(await orders.get(), Stop)
        self._tell(Done(measured_from_s=0, measured_s=3, stopped_early=stopped))

    async def _misbehave(self) -> None:
        if self._does("fail"):
            raise ExceptionGroup("players", [SwarmError("the server refuses")])
        if self._does("die"):
            os.write(2, b"first line\nout of something\n")
            os._exit(7)
        if self._does("mute"):
            await asyncio.Event().wait()
        if self._does("stuck"):
            self._tell(Told(at_s=0, text=STICKY))
            await asyncio.to_thread(lambda: None)
            while True:
                pass

    def _does(self, act: str) -> bool:
        return bool(self._is_odd_one and self._act == act)


if __name__ == "__main__":
    sys.exit(main(FakeWorker))
