"""Results of swarms that never ran, for tests of what reads them."""

from collections.abc import Sequence
from typing import Any

from loadtest.histogram import Histogram
from loadtest.plan import Plan
from loadtest.result import (
    Honesty,
    Interval,
    Machine,
    OwnUse,
    Result,
    ServerUse,
    Spread,
    Timing,
    Truth,
)

MACHINE = Machine(
    cpu_model="a processor",
    cpus=2,
    affinity=[0, 1],
    memory_bytes=2**34,
    system="Linux 6.18",
    open_files=4096,
    versions={"python": "3.11.7", "lockgate": "0.1.0"},
    commit="",
    network="loopback",
)
LIMITS = {"lag_p99_ms": 20.0, "lag_max_ms": 1000.0, "slip_p99_ms": 20.0, "cpu": 0.92, "gc_max_ms": 100.0}


def spread(*milliseconds: float) -> Spread:
    histogram = Histogram()
    for each in milliseconds:
        histogram.record(round(each * 1000))
    return histogram.spread()


def timing(*milliseconds: float) -> Timing:
    return Timing(response=spread(*milliseconds), service=spread(*(each / 2 for each in milliseconds)))


def honesty(*reasons: str, **more: float) -> Honesty:
    figures = {
        "lag_p99_ms": 1.0,
        "lag_max_ms": 4.0,
        "slip_p99_ms": 2.0,
        "cpu": 0.3,
        "gc_max_ms": 1.5,
        **more,
    }
    return Honesty(**figures, limits=LIMITS, reasons=list(reasons))


def interval(second: int, deliveries: Sequence[float] = (3.0, 4.0, 5.0), **more: Any) -> Interval:
    """One second of a relay with these latencies of deliveries, in milliseconds."""
    members = {
        "at_s": float(second),
        "for_s": 1.0,
        "connected": 10,
        "counts": {"sent": 10, "delivered": len(deliveries)},
        "response": {"deliver": spread(*deliveries)},
        "own": OwnUse(cpu=0.3, lag_ms=1.0, slip_ms=2.0, gc_ms=0.5),
        "server": ServerUse(cpu=0.4, rss_bytes=90 * 2**20, metrics={"lockgate_sockets_open": 10.0}),
    }
    return Interval(**{**members, **more})


def result(**more: Any) -> Result:
    """A run of three seconds in which all went well; `more` replaces members."""
    members: dict[str, Any] = {
        "begun": "2026-11-23T10:00:00Z",
        "plan": Plan(players=10, duration_s=3).tell(),
        "machine": MACHINE,
        "measured_from_s": 0.0,
        "measured_s": 3.0,
        "stopped_early": False,
        "connected": 10,
        "timings": {"bridge": timing(5, 6, 7), "deliver": timing(3, 4, 5, 3, 4, 5, 3, 4, 5)},
        "intervals": [interval(second) for second in range(3)],
        "truth": Truth(sent=9, expected=9, delivered=9),
        "counts": {"sent": 9, "delivered": 9},
        "errors": {},
        "honesty": honesty(),
        "server_cpu": 0.4,
        "server_rss_bytes": 90 * 2**20,
    }
    return Result(**{**members, **more})
