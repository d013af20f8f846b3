"""What shows a run while it goes on, and whether that can be a picture or must be plain lines."""

from collections.abc import Mapping
from typing import Protocol, TextIO

from loadtest.result import Interval


class Watcher(Protocol):
    """Is told of a run as it goes on. `end` comes last, also when the run failed."""

    def phase(self, text: str) -> None:
        """What the swarm is doing from now on."""

    def interval(self, interval: Interval) -> None:
        """One more second is over. Its spreads bring their histograms along."""

    def end(self) -> None:
        """The terminal is left as it was found. May be called again."""


def is_screen(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a picture can be drawn there that changes, and somebody may look at it.

    Not in continuous integration, which keeps what is written, nor where no colours are wanted
    (https://no-color.org) or the terminal cannot move its cursor.
    """
    unwanted = environment.get("CI", "").lower() not in ("", "0", "false") or environment.get("NO_COLOR")
    return stream.isatty() and not unwanted and environment.get("TERM") not in ("", "dumb")
