"""What may be asked of a result, by name: latencies of an operation, counters, rates, what the server used.

A name that is well formed and unknown is taken for something that a scenario counts or times itself: whether
the run has it shows in its result. A name that looks like a slip of the pen is refused beforehand, because
nobody wants to learn of it after an hour's soak.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from loadtest.failures import SwarmError
from loadtest.histogram import Histogram
from loadtest.measured import measured, rate
from loadtest.result import Result, Spread, Truth


class Quantity(StrEnum):
    """What kind of figure it is, and thereby in which unit it is told."""

    TIME = "time"
    """Milliseconds."""
    NUMBER = "number"
    RATE = "rate"
    """A second."""
    CPU = "processor time"
    """Cores."""
    BYTES = "memory"


Find = Callable[[Result], float | None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One of them; `find` gives None where a result has nothing to look at."""

    name: str
    quantity: Quantity
    find: Find


OPERATIONS: Final = (
    *("sign_in", "bridge", "tcp", "tls", "upgrade", "arrive", "join", "echo", "deliver", "matchmaking"),
    *("resume", "kick", "refresh", "recover", "leave"),
)
"""What the swarm times by itself; a scenario may time more."""
STATISTICS: Final = ("p50", "p90", "p99", "p99.9", "max", "mean", "count")
SAID_ELSEWHERE: Final = {"avg": "mean", "average": "mean", "med": "p50", "median": "p50"}
"""How other tools call a statistic."""
RATE_MARK: Final = "_per_s"

_LATENCY = re.compile(r"(?P<operation>[a-z][a-z0-9_]*?)(?P<service>_service)?_(?P<statistic>[a-z0-9.]+)")
_COUNT = re.compile(r"[a-z][a-z0-9_]*")
_ERRORS = re.compile(r"errors\[(.+)\]")
_CLOSE: Final = 0.85
"""How alike a name must be to a known one to be taken for it misspelt."""


def _plain() -> dict[str, Figure]:
    number, time = Quantity.NUMBER, Quantity.TIME
    figures = [
        *(Figure(name, number, _of_truth(name)) for name in Truth.__struct_fields__),
        Figure("errors", number, lambda result: float(sum(result.errors.values()))),
        Figure("connected", number, lambda result: float(result.connected)),
        Figure("server_cpu", Quantity.CPU, lambda result: result.server_cpu),
        Figure("server_rss", Quantity.BYTES, lambda result: result.server_rss_bytes),
        Figure("swarm_cpu", Quantity.CPU, lambda result: result.honesty.cpu),
        Figure("lag_p99", time, lambda result: result.honesty.lag_p99_ms),
        Figure("lag_max", time, lambda result: result.honesty.lag_max_ms),
        Figure("slip_p99", time, lambda result: result.honesty.slip_p99_ms),
        Figure("gc_max", time, lambda result: result.honesty.gc_max_ms),
    ]
    return {each.name: each for each in figures}


def _of_truth(name: str) -> Find:
    return lambda result: float(getattr(result.truth, name))


PLAIN: Final = _plain()
"""Those that every result has."""


def figure(name: str, also: Collection[str] = ()) -> Figure:
    """What this name asks for. `also`: operations and counts of a scenario, which are no slips.

    Raises SwarmError that tells what is wrong, and what is known.
    """
    if name in PLAIN:
        return PLAIN[name]
    if text := _ERRORS.fullmatch(name):
        return Figure(name, Quantity.NUMBER, _errors(text[1]))
    if name not in also:
        _refuse_slips(name, also)
    if name.endswith(RATE_MARK) and _COUNT.fullmatch(name):
        return Figure(name, Quantity.RATE, _rate(name.removesuffix(RATE_MARK)))
    if (found := _LATENCY.fullmatch(name)) and _is_statistic(found["statistic"]):
        find = _latency(name, found["operation"], bool(found["service"]), found["statistic"])
        return Figure(name, Quantity.NUMBER if found["statistic"] == "count" else Quantity.TIME, find)
    if _COUNT.fullmatch(name):
        return Figure(name, Quantity.NUMBER, _count(name))
    raise SwarmError(f"there is no figure {name!r}. {known()}")


def known() -> str:
    """The names, for people."""
    return (
        f"Known are <operation>_<statistic> and <operation>_service_<statistic>, "
        f"of {', '.join(OPERATIONS)} and of {', '.join(STATISTICS)} or another percentile; "
        f"{', '.join(PLAIN)}, errors[text]; "
        f"counts of the scenario; and <count>{RATE_MARK}"
    )


def percent(statistic: str) -> float | None:
    """Which percentile is meant: 99.9 by `p99.9` and by `p999`; None if none is."""
    if not re.fullmatch(r"p\d{1,9}(\.\d{1,9})?", statistic):
        return None
    digits = statistic[1:]
    if re.fullmatch(r"9\d{2,}", digits):
        digits = f"{digits[:2]}.{digits[2:]}"
    return float(digits) if 0 < float(digits) <= 100 else None


def _is_statistic(text: str) -> bool:
    return text in STATISTICS or percent(text) is not None


def _refuse_slips(name: str, also: Collection[str]) -> None:
    """Raises SwarmError if a known name was probably meant."""
    meant = _meant(name.lower(), also)
    if meant is not None and meant != name:
        raise SwarmError(f"there is no figure {name!r}; did you mean {meant!r}? {known()}")


def _meant(name: str, also: Collection[str]) -> str | None:
    if plain := _nearest(name, PLAIN):
        return plain
    if name.endswith(RATE_MARK):
        counts = (*Truth.__struct_fields__, "errors", *also)
        count = _nearest(name.removesuffix(RATE_MARK), counts)
        return None if count is None else count + RATE_MARK
    operation, _, statistic = name.rpartition("_")
    operation, service = operation.removesuffix("_service"), operation.endswith("_service")
    nearest = _nearest(operation, (*OPERATIONS, *also))
    statistic = SAID_ELSEWHERE.get(statistic, statistic)
    if not _is_statistic(statistic):
        near = _nearest(statistic, STATISTICS[:-2]) or ("p99" if re.match(r"p\d", statistic) else None)
        if nearest is None or near is None:
            return None
        statistic = near
    return f"{nearest or operation}{'_service' * service}_{statistic}"


def _nearest(word: str, words: Collection[str]) -> str | None:
    """The word itself if it is one of them, else the one that it is nearly."""
    return next(iter(get_close_matches(word, words, 1, _CLOSE)), None) if word not in words else word


def _latency(name: str, operation: str, service: bool, statistic: str) -> Find:
    def find(result: Result) -> float | None:
        timing = result.timings.get(operation)
        if timing is None:
            counted = result.counts.get(name) if statistic == "count" else None
            return None if counted is None else float(counted)
        return _of_spread(timing.service if service else timing.response, statistic)

    return find


def _of_spread(spread: Spread, statistic: str) -> float | None:
    if statistic == "count":
        return float(spread.count)
    if not spread.count:
        return None
    if statistic in ("mean", "max"):
        return spread.mean if statistic == "mean" else spread.max
    asked = percent(statistic)
    told = {50.0: spread.p50, 90.0: spread.p90, 99.0: spread.p99, 99.9: spread.p999, 100.0: spread.max}
    if asked in told:
        return told[asked]
    return None if asked is None else _percentile(spread.hdr, asked)


def _percentile(encoded: str, asked: float) -> float | None:
    """None for a result without its histograms, or with one that cannot be read."""
    histogram = Histogram()
    try:
        histogram.add(encoded)
    except ValueError:
        return None
    return histogram.percentile_ms(asked) if len(histogram) else None


def _rate(count: str) -> Find:
    def find(result: Result) -> float | None:
        intervals = measured(result)
        if count != "errors":
            return rate(intervals, count)
        seconds = sum(each.for_s for each in intervals)
        return sum(sum(each.errors.values()) for each in intervals) / seconds if seconds else None

    return find


def _count(name: str) -> Find:
    def find(result: Result) -> float | None:
        return float(result.counts[name]) if name in result.counts else None

    return find


def _errors(text: str) -> Find:
    wanted = text.casefold()
    return lambda result: float(sum(n for told, n in result.errors.items() if wanted in told.casefold()))
