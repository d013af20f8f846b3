"""What the coordinator and its workers say to each other, a line of JSON each.

A group of players lives in one worker, so that the times of its messages come from one clock; only counts and
histograms travel.
"""

from typing import Any

import msgspec

from loadtest.result import Truth


class Share(msgspec.Struct, frozen=True):
    """Which part of the crowd a worker plays: those groups whose number leaves `worker` when divided."""

    worker: int
    workers: int


class Prepare(msgspec.Struct, frozen=True, tag="prepare"):
    """To a worker, first: get ready, answer `Ready`, and touch no socket before `Begin`."""

    plan: dict[str, Any]
    share: Share

    def __repr__(self) -> str:
        return f"Prepare(share={self.share})"  # the plan holds secrets


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """To a worker: the schedule starts now."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """To a worker: let the players leave and report, whatever the schedule says."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: its players can sign in."""


class Batch(msgspec.Struct, frozen=True):
    """Latencies of one operation since the last sample, as encoded histograms."""

    response: str
    service: str
    warm_up: bool = False
    """Whether they are to be told with the interval only and not in the whole."""


class Sample(msgspec.Struct, frozen=True, kw_only=True, tag="sample"):
    """From a worker, each second and once at the end."""

    at_s: float
    """Since `Begin`, by the worker's clock; the interval ends here."""
    connected: int
    """Now."""
    most_connected: int = 0
    """At one time since the last sample."""
    counts: dict[str, int]
    """Since the last sample."""
    errors: dict[str, int]
    """Since the last sample."""
    timings: dict[str, list[Batch]]
    """By operation: one batch of what was due in the measured time, one of the warm-up, if there are any."""
    truth: Truth
    """From the beginning up to now. `lost` includes what is under way, except in the last sample."""
    cpu_s: float
    """Of the worker's process since the last sample."""
    lag: str
    """How late the loop was, as an encoded histogram, since the last sample."""
    slip: str
    """How late acts were begun, likewise."""
    gc_max_ms: float
    short_of: dict[str, int] = {}
    """How often its machine could open no socket, by what it had no more of, since the last sample."""


class Told(msgspec.Struct, frozen=True, tag="mark"):
    """From a worker: something for the plots, or a fact for the report if it has a name."""

    at_s: float
    text: str
    name: str = ""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """From a worker, last: all its sockets are closed."""

    measured_from_s: float
    measured_s: float
    stopped_early: bool
    measures: str = ""
    """The operation that the scenario is for."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """From a worker, last: the run could not be made. The text is for the operator and holds no secret."""

    text: str


Order = Prepare | Begin | Stop
Note = Ready | Sample | Told | Done | Failed
