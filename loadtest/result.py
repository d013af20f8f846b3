"""What a run found, as data: the JSON that scripts keep, and that report, comparison and verdict read.

The shape has a version of its own. Members may be added under the same number; whoever changes the meaning of
one, or takes one away, raises it. Times are milliseconds, latencies kept exactly as HdrHistograms beside the
figures that people ask for.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.failures import SwarmError

SCHEMA: Final = 1
KIND: Final = "lockgate-swarm-result"
MAX_INTERVALS: Final = 300
"""A longer run is told in longer intervals, so that a soak's result can still be opened."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How many latencies there were and how they are spread, in milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    hdr: str = ""
    """All of them: an HdrHistogram (V2, compressed, base64) of microseconds."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One operation. *Response* counts from when it was due, *service* from when it was begun."""

    response: Spread
    service: Spread


class ServerUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the server used during an interval, by its own metrics or by its process id."""

    cpu: float
    """Processor seconds a second: 1 is a whole core."""
    rss_bytes: int
    metrics: dict[str, float] = {}
    """Of its metrics, those that moved or that tell a state, by name."""


class OwnUse(msgspec.Struct, frozen=True, kw_only=True):
    """How the swarm itself fared during an interval: the worst of its workers."""

    cpu: float
    """Processor seconds a second of the busiest worker: each has one loop, so 1 is all there is."""
    lag_ms: float
    """The longest that a loop was late."""
    slip_ms: float
    """The longest that an act was begun after it was due."""
    gc_ms: float
    """The longest pause of a collector."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of the run, a second as a rule."""

    at_s: float
    """Since the first arrival was due."""
    for_s: float
    connected: int
    """At the end of the interval."""
    counts: dict[str, int] = {}
    """What happened in it: arrived, sent, delivered, dropped, and what the scenario counts."""
    errors: dict[str, int] = {}
    response: dict[str, Spread] = {}
    """By operation."""
    own: OwnUse
    server: ServerUse | None = None


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a reader of the plots wants to see: a phase, a step, the moment of the drill."""

    at_s: float
    text: str


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """Messages, counted by sender and receiver. All but the first three are faults."""

    sent: int = 0
    expected: int = 0
    """Deliveries that should have come: a message counts once for each receiver."""
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    misdelivered: int = 0
    """Came whole to somebody it was not for."""
    corrupt: int = 0
    """Came to somebody, and was never sent."""
    presence_diverged: int = 0
    """Members that a player believed in and that were not there, or the other way round."""
    two_sockets: int = 0
    """Times that two sockets of one user lived side by side for longer than the newer one needs to win."""

    def faults(self) -> dict[str, int]:
        """The fault counters by name."""
        return {name: getattr(self, name) for name in FAULTS}


FAULTS: Final = (
    "lost",
    "duplicated",
    "reordered",
    "misdelivered",
    "corrupt",
    "presence_diverged",
    "two_sockets",
)


class Honesty(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the swarm itself was the bottleneck; then the run tells nothing about the server."""

    lag_p99_ms: float
    lag_max_ms: float
    slip_p99_ms: float
    cpu: float
    """Of the busiest worker, over the time that was measured."""
    gc_max_ms: float
    limits: dict[str, float]
    reasons: list[str]
    """What was over its limit, for people; empty when the run is valid."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold: what was asked, what was found (None: nothing to look at), and whether it held."""

    text: str
    found: float | None
    held: bool


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where and with what a run was made, so that it can be repeated."""

    cpu_model: str
    cpus: int
    affinity: list[int]
    memory_bytes: int
    system: str
    """Kernel's name and release."""
    open_files: int
    versions: dict[str, str]
    """Of Python, the swarm and its libraries; `server` if the server told it."""
    commit: str
    """Of the swarm's sources, empty when they are no checkout."""
    network: str
    """`loopback` or `network`; `tls` behind it when encrypted."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    kind: str = KIND
    schema: int = SCHEMA
    begun: str
    """UTC, ISO 8601."""
    plan: dict[str, Any]
    """The options of the run, without secrets."""
    machine: Machine
    measured_from_s: float
    """Deliveries due earlier are warm-up: checked, but not timed."""
    measured_s: float
    stopped_early: bool
    connected: int
    """Most players connected at one time."""
    measures: str = ""
    """The operation that the scenario is for, if there is one."""
    timings: dict[str, Timing]
    intervals: list[Interval]
    marks: list[Mark] = []
    truth: Truth
    counts: dict[str, int]
    errors: dict[str, int]
    """Refusals, drops and failed steps, by what was told."""
    facts: dict[str, str] = {}
    """What a scenario found beside: the recovery time of a drill, for example."""
    honesty: Honesty
    server_cpu: float | None = None
    """Cores, over the time that was measured."""
    server_rss_bytes: int | None = None
    """The most that was seen."""
    thresholds: list[Outcome] = []
    allowed: list[str] = []
    """Fault counters that do not fail this run."""
    verdict: str = ""
    """passed, failed or invalid."""


def as_json(outcome: msgspec.Struct) -> bytes:
    """As indented JSON, for a file."""
    return msgspec.json.format(msgspec.json.encode(outcome), indent=1) + b"\n"


def read(path: Path) -> Result:
    """Raises SwarmError for a file that is none of ours, or newer than this program."""
    try:
        raw = path.read_bytes()
        tag = msgspec.json.decode(raw, type=_Tag)
        if tag.kind != KIND:
            raise SwarmError(f"{path} is no result of a swarm")
        if tag.schema > SCHEMA:
            raise SwarmError(f"{path} has schema {tag.schema}, this program knows up to {SCHEMA}")
        return msgspec.json.decode(raw, type=Result)
    except OSError as error:
        raise SwarmError(f"cannot read {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise SwarmError(f"{path} is no result of a swarm: {error}") from None


class _Tag(msgspec.Struct):
    kind: str = ""
    schema: int = 0
