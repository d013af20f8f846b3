"""Which plots a report has, what each of them shows, and what is said where there is nothing to show."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.faces import courses
from loadtest.faces.courses import TimeUnit, Values
from loadtest.faces.drawing import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    MAX_LABEL,
    MAX_NAME,
    ORANGE,
    SKY,
    VERMILION,
    escaped,
    figure,
    line,
    log_axis,
    over_time,
)
from loadtest.faces.figures import MIB, in_order, plain
from loadtest.faces.history import TELLING
from loadtest.result import Result, Spread

MAX_OPERATIONS: Final = 20
PERCENTILES: Final[tuple[tuple[str, Callable[[Spread], float], str, str], ...]] = (
    ("p99.9", lambda spread: spread.p999, VERMILION, "dot"),
    ("p99", lambda spread: spread.p99, BLUE, "solid"),
    ("p50", lambda spread: spread.p50, SKY, "solid"),
)
LEAST_LATE_MS: Final = 0.1
"""How much less the swarm was late does not matter, and would only stretch the axis."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One of them. `figure` is JSON, or empty, and then `missing` says why."""

    key: str
    title: str
    figure: str = ""
    missing: str = ""
    is_logarithmic: bool = False
    """Whether the reader may choose the other kind of axis."""


@dataclass(frozen=True, slots=True)
class Group:
    """Plots that belong together."""

    title: str
    about: str
    plots: tuple[Plot, ...]


def groups(result: Result) -> list[Group]:
    """All plots, in the order of the page."""
    return [
        Group("Latency", _about_latency(result), tuple(_latencies(result))),
        Group("Load", "", (_throughput(result), _connected(result), _errors(result))),
        Group("Server", "", (_server_cpu(result), _server_memory(result), *_server_metrics(result))),
        Group(
            "The swarm itself",
            "Beyond any of its limits the swarm was the bottleneck, and the run is invalid.",
            (_own_cpu(result), _own_lateness(result)),
        ),
    ]


def _operations(result: Result) -> list[str]:
    """The most telling first, then in the order of a player's life."""
    names = set(result.timings) | {name for each in result.intervals for name in each.response}
    telling = [name for name in TELLING if name in names]
    return telling + [name for name in in_order(names) if name not in telling]


def _about_latency(result: Result) -> str:
    left_out = _operations(result)[MAX_OPERATIONS:]
    about = (
        "Response counts from when an act was due, service from when it was begun: they differ where "
        "the swarm or the server was late."
    )
    if left_out:
        about += f" Not drawn: {', '.join(left_out)}; the table has them."
    return about


def _latencies(result: Result) -> Iterator[Plot]:
    operations = _operations(result)[:MAX_OPERATIONS]
    for place, name in enumerate(operations):
        yield _latency(result, name, place)
        yield _percentiles(result, name, place)
    if not operations:
        yield Plot("latency", "Latency", missing="No operation was timed.")


def _latency(result: Result, name: str, place: int) -> Plot:
    key, title = f"latency-{place}", f"{plain(name, MAX_LABEL)}: latency over time"
    unit = courses.time_unit(result)
    found = [courses.latency(result, name, percentile) for _, percentile, *_ in PERCENTILES]
    if not _has_values(found):
        return Plot(key, title, missing="No interval of the run has a latency of this operation.")
    when = courses.middles(result, unit)
    lines = [
        line(label, when, course, colour, dash, " ms")
        for (label, _, colour, dash), course in zip(PERCENTILES, found, strict=True)
    ]
    axis = log_axis("response time (ms)", [each for course in found for each in course])
    return Plot(key, title, over_time(result, unit, title, lines, axis), is_logarithmic=True)


def _percentiles(result: Result, name: str, place: int) -> Plot:
    key, title = f"percentiles-{place}", f"{plain(name, MAX_LABEL)}: percentiles of the measured time"
    timing = result.timings.get(name)
    spreads = [] if timing is None else [timing.response, timing.service]
    curves = [courses.curve(spread) for spread in spreads]
    if not any(curves):
        return Plot(key, title, missing="Nothing of this operation was timed in the measured time.")
    looks = (("response", BLUE, "solid"), ("service", ORANGE, "dash"))
    lines = [
        {
            "type": "scatter",
            "name": label,
            "x": [point.x for point in curve],
            "y": [point.ms for point in curve],
            "customdata": [f"{point.percent:.6g}" for point in curve],
            "mode": "lines" if len(curve) > 1 else "markers",
            "line": {"color": colour, "dash": dash, "width": 2},
            "hovertemplate": "%{y:,.4~g} ms at %{customdata} %",
        }
        for (label, colour, dash), curve in zip(looks, curves, strict=True)
        if curve
    ]
    reach = max(math.log10(max(point.x for curve in curves for point in curve)), 1.0)
    powers = range(1, math.floor(reach + 1e-9) + 1)
    across = {
        "title": {"text": "percentile (%)"},
        "type": "log",
        "range": [0, reach],
        "tickvals": [2, *(10**power for power in powers)],
        "ticktext": ["50", *map(_nines, powers)],
        "tickangle": 0,
    }
    axis = log_axis("latency (ms)", [point.ms for curve in curves for point in curve])
    return Plot(key, title, figure(title, lines, across, axis, hovermode="closest"), is_logarithmic=True)


def _nines(power: int) -> str:
    """90, 99, 99.9: so many nines."""
    return f"{100 - 10 ** (2 - power):.{max(power - 2, 0)}f}"


def _throughput(result: Result) -> Plot:
    looks = (("delivered", BLUE, "solid"), ("sent", ORANGE, "solid"))
    found = [(name, courses.rate(result, name), colour, dash) for name, colour, dash in looks]
    missing = "Nothing was sent or delivered."
    return _timed(result, "throughput", "Throughput", "messages a second (1/s)", found, missing, " /s")


def _connected(result: Result) -> Plot:
    found: list[tuple[str, Values, str, str]] = [
        ("connected", [float(each.connected) for each in result.intervals], BLUE, "solid")
    ]
    missing = "The run has no intervals."
    return _timed(
        result, "connected", "Connected players", "players (count)", found, missing, "", at=courses.ends
    )


def _errors(result: Result) -> Plot:
    key, title = "errors", "Errors"
    found = courses.errors(result)
    if not found:
        beside = " in an interval; the table has those of the whole run" if result.errors else ""
        return Plot(key, title, missing=f"No errors{beside}.")
    unit = courses.time_unit(result)
    bars = [
        {
            "type": "bar",
            "name": escaped(text, MAX_NAME),
            "x": courses.middles(result, unit),
            "y": course,
            "width": [each.for_s / unit.seconds for each in result.intervals],
            "marker": {"color": GREY if text == courses.OTHERS else colour},
            "hovertemplate": "%{y:,.4~g} /s",
        }
        for (text, course), colour in zip(found.items(), (*COLOURS, GREY), strict=False)
    ]
    axis = {"title": {"text": "errors a second (1/s)"}, "rangemode": "tozero"}
    drawn = over_time(result, unit, title, bars, axis, barmode="stack", showlegend=True)
    return Plot(key, title, drawn)


def _server_cpu(result: Result) -> Plot:
    course = [each.server.cpu if each.server else None for each in result.intervals]
    missing = "The server's use of processors is unknown: it told no metrics, and no process id was given."
    found = [("server", course, BLUE, "solid")]
    return _timed(
        result, "server-cpu", "Server: processor", "processor time (cores)", found, missing, " cores"
    )


def _server_memory(result: Result) -> Plot:
    course = [round(each.server.rss_bytes / MIB, 2) if each.server else None for each in result.intervals]
    missing = "The server's use of memory is unknown: it told no metrics, and no process id was given."
    found = [("server", course, GREEN, "solid")]
    return _timed(result, "server-memory", "Server: memory", "resident memory (MiB)", found, missing, " MiB")


def _server_metrics(result: Result) -> Iterator[Plot]:
    late = _coloured(courses.late_metrics(result))
    missing = "No metric of the server tells how late its loop was."
    yield _timed(result, "server-late", "Server: how late it was", "time (ms)", late, missing, " ms")
    if trouble := _coloured(courses.trouble_metrics(result)):
        title = "Server: what it refused or dropped"
        yield _timed(result, "server-trouble", title, "events a second (1/s)", trouble, "", " /s")


def _own_cpu(result: Result) -> Plot:
    course: Values = [each.own.cpu for each in result.intervals]
    found = [("busiest worker", course, BLUE, "solid")]
    if (limit := result.honesty.limits.get("cpu")) is not None and course:
        found.append((f"limit {limit:g}", [limit] * len(course), VERMILION, "dash"))
    missing = "The run has no intervals."
    return _timed(result, "own-cpu", "Swarm: processor", "processor time (cores)", found, missing, " cores")


def _own_lateness(result: Result) -> Plot:
    key, title = "own-lateness", "Swarm: how late it was"
    own = [each.own for each in result.intervals]
    if not own:
        return Plot(key, title, missing="The run has no intervals.")
    unit = courses.time_unit(result)
    when = courses.middles(result, unit)
    found: list[tuple[str, list[float], str]] = [
        ("loop lag", [each.lag_ms for each in own], BLUE),
        ("schedule slip", [each.slip_ms for each in own], ORANGE),
        ("collector's pause", [each.gc_ms for each in own], GREEN),
    ]
    lines = [
        line(name, when, [max(each, LEAST_LATE_MS) for each in course], colour, "solid", " ms", course)
        for name, course, colour in found
    ]
    reach = [max(each, LEAST_LATE_MS) for _, course, _ in found for each in course]
    # A line at the same height would hide the other, so equal limits are one.
    limits: dict[float, list[str]] = {}
    for name in ("lag_p99_ms", "lag_max_ms", "slip_p99_ms", "gc_max_ms"):
        if (limit := result.honesty.limits.get(name)) is not None and limit > 0:
            limits.setdefault(limit, []).append(name.removesuffix("_ms").replace("_", " "))
    for (limit, names), dash in zip(
        sorted(limits.items()), ("dash", "dot", "dashdot", "longdash"), strict=False
    ):
        name = f"limit of {' and '.join(names)}: {limit:g} ms"
        reach.append(limit)
        lines.append(line(name, when, [limit] * len(when), VERMILION, dash, " ms"))
    axis = log_axis("worst of the interval (ms)", reach)
    return Plot(key, title, over_time(result, unit, title, lines, axis), is_logarithmic=True)


def _coloured(found: dict[str, Values]) -> list[tuple[str, Values, str, str]]:
    return [
        (name, course, colour, "solid")
        for (name, course), colour in zip(found.items(), COLOURS, strict=False)
    ]


def _timed(
    result: Result,
    key: str,
    title: str,
    axis: str,
    found: Sequence[tuple[str, Values, str, str]],
    missing: str,
    unit_told: str,
    at: Callable[[Result, TimeUnit], list[float]] = courses.middles,
) -> Plot:
    """Lines over time on an axis that begins at zero."""
    if not _has_values([course for _, course, *_ in found]):
        return Plot(key, title, missing=missing)
    unit = courses.time_unit(result)
    when = at(result, unit)
    lines = [
        line(name, when, course, colour, dash, unit_told)
        for name, course, colour, dash in found
        if _has_values([course])
    ]
    upright = {"title": {"text": axis}, "rangemode": "tozero"}
    return Plot(key, title, over_time(result, unit, title, lines, upright))


def _has_values(found: list[Values]) -> bool:
    return any(each is not None for course in found for each in course)
