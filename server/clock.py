"""The only reader of time. Everything else is given a `Clock`, or `now` as an argument."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two times: wall for what is written down, monotonic for durations and deadlines."""

    def wall(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
