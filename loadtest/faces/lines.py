"""A run told in plain lines, one per interval, for logs and for programs that search them.

Each line has the same columns in the same order; a figure that nobody knows is a `-`. Only the operation that
says most about the run is told, under its name.
"""

from collections.abc import Callable
from typing import Final

from loadtest.faces.figures import memory, ms, percent, plain
from loadtest.faces.history import History
from loadtest.plan import Plan
from loadtest.result import FAULTS, Interval

UNKNOWN: Final = "-"
NEW_ERRORS: Final = 5
"""At most so many kinds of errors are told with an interval: each when it is first seen."""
MAX_KINDS: Final = 200
WIDTH: Final = 160


class Lines:
    """`write` takes a line without its end, and lets it be seen at once."""

    def __init__(self, plan: Plan, write: Callable[[str], None]) -> None:
        self._write = write
        self._history = History(plan)
        self._told: set[str] = set()

    def phase(self, text: str) -> None:
        self._write(f"{self._history.elapsed_s:4.0f} s  -- {plain(text, WIDTH)}")

    def interval(self, interval: Interval) -> None:
        self._history.add(interval)
        self._write("  ".join(self._columns(interval)))
        untold = [text for text in interval.errors if text not in self._told]
        for text in untold[:NEW_ERRORS] if len(self._told) < MAX_KINDS else ():
            self._told.add(text)
            self._write(f"{self._history.elapsed_s:4.0f} s  !! {plain(text, WIDTH)}")

    def end(self) -> None:
        """Nothing to do: lines leave a terminal as it is."""

    def _columns(self, interval: Interval) -> list[str]:
        history, own = self._history, interval.own
        return [
            f"{history.elapsed_s:4.0f} s",
            f"connected {interval.connected}",
            f"sent {history.rate('sent'):.0f}/s",
            f"delivered {history.rate('delivered'):.0f}/s",
            f"dropped {interval.counts.get('dropped', 0)}",
            f"faults {_faults(interval)}",
            f"errors {sum(interval.errors.values())}",
            self._latency(interval),
            _server(interval),
            f"swarm {percent(own.cpu)} lag {ms(own.lag_ms)} slip {ms(own.slip_ms)} ms",
            history.standing()[0],
        ]

    def _latency(self, interval: Interval) -> str:
        name = self._history.main()
        spread = interval.response.get(name)
        if spread is None or not spread.count:
            return f"{name or UNKNOWN} p50 {UNKNOWN} p99 {UNKNOWN} ms"
        return f"{name} p50 {ms(spread.p50)} p99 {ms(spread.p99)} ms"


def _faults(interval: Interval) -> str:
    """Those of the interval; unknown if the scenario tells none while it goes on."""
    told = [interval.counts[name] for name in FAULTS if name in interval.counts]
    return str(sum(told)) if told else UNKNOWN


def _server(interval: Interval) -> str:
    if interval.server is None:
        return f"server {UNKNOWN} % {UNKNOWN} MiB"
    return f"server {percent(interval.server.cpu)} {memory(interval.server.rss_bytes)}"
