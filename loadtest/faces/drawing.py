"""One plot as the JSON that the plotting library's script draws: its lines, axes, marks and colours.

The only module that knows the library. Colours are those of Okabe and Ito, which colour-blind people tell
apart; text that others wrote is escaped, because the script reads markup in it, links included.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Any, Final

import msgspec
from plotly.offline import (  # type: ignore[import-untyped]  # it has no types
    get_plotlyjs,
)

from loadtest.faces import courses
from loadtest.faces.courses import TimeUnit
from loadtest.faces.figures import plain
from loadtest.result import Result

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9",
)  # fmt: skip
COLOURS: Final = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
GREY: Final = "#8a9099"
SHADE: Final = "rgba(138,144,153,0.16)"
MAX_LABELS: Final = 12
"""Marks beyond are lines without words; the page lists all of them."""
MAX_LABEL: Final = 32
MAX_NAME: Final = 56
FEW: Final = 90
"""Points up to which each is drawn as such."""
KEY: Final = 6
"""Characters that the sample of a line takes in the legend."""
ACROSS: Final = 60
"""Characters that stand beside each other."""
LINE: Final = 20
"""Pixels of a line of the legend."""

Json = dict[str, Any]


def script() -> str:
    """The library's script, whole: it has to be in the page once."""
    return str(get_plotlyjs())


def line(
    name: str, x: list[float], y: Sequence[float | None], colour: str, dash: str, unit: str,
    true: Sequence[float] = (),
) -> Json:  # fmt: skip
    """`true` are the values where `y` was raised to be drawn."""
    has_dots = courses.has_gaps(list(y)) or (dash == "solid" and len(x) <= FEW)
    value = "%{customdata:,.4~g}" if true else "%{y:,.4~g}"
    trace: Json = {
        "type": "scatter",
        "name": escaped(name, MAX_NAME),
        "x": x,
        "y": list(y),
        "mode": "lines+markers" if has_dots else "lines",
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"size": 4},
        "hovertemplate": f"{value}{unit}",
    }
    return trace | {"customdata": list(true)} if true else trace


def log_axis(title: str, reach: Sequence[float | None]) -> Json:
    """From one round number to another, so that there are ticks however narrow the values lie."""
    values = [each for each in reach if each is not None]
    marks = courses.ticks(min(values), max(values))
    return {
        "title": {"text": title},
        "type": "log",
        "range": [math.log10(marks[0]), math.log10(marks[-1])],
        "tickmode": "array",
        "tickvals": marks,
        "ticktext": [f"{each:,.10g}" for each in marks],
    }


def over_time(result: Result, unit: TimeUnit, title: str, traces: list[Json], axis: Json, **more: Any) -> str:
    end = max(each.at_s + each.for_s for each in result.intervals) / unit.seconds
    across = {
        "title": {"text": f"time since the first arrival was due ({unit.name})"},
        "range": [0, end],
    }
    shapes, labels = _marks(result, unit, end)
    return figure(title, traces, across, axis, shapes=shapes, annotations=labels, **more)


def _marks(result: Result, unit: TimeUnit, end: float) -> tuple[list[Json], list[Json]]:
    """Lines at the marks with their words, and a shade over what was not measured."""
    shapes: list[Json] = []
    for begin, until in (
        (0.0, result.measured_from_s),
        (result.measured_from_s + result.measured_s, math.inf),
    ):
        begin, until = begin / unit.seconds, min(until / unit.seconds, end)
        if until > begin:
            shapes.append(
                {
                    "type": "rect", "yref": "paper", "x0": begin, "x1": until, "y0": 0, "y1": 1,
                    "fillcolor": SHADE, "line": {"width": 0}, "layer": "below",
                }
            )  # fmt: skip
    shown = [
        (mark.at_s / unit.seconds, mark.text) for mark in result.marks if mark.at_s / unit.seconds <= end
    ]
    shapes += [
        {
            "type": "line", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1,
            "line": {"color": GREY, "width": 1, "dash": "dot"},
        }
        for at, _ in shown
    ]  # fmt: skip
    labels = [
        {
            "text": escaped(text, MAX_LABEL), "x": at, "y": 1, "yref": "paper", "textangle": -90,
            "xanchor": "left" if at < end / 2 else "right", "yanchor": "top", "showarrow": False,
            "font": {"size": 10}, "opacity": 0.75,
        }
        for at, text in (shown if len(shown) <= MAX_LABELS else ())
    ]  # fmt: skip
    return shapes, labels


def figure(title: str, traces: list[Json], across: Json, upright: Json, **more: Any) -> str:
    """Names too long for one line stand below, one under the other, and the plot grows by as much."""
    above = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    below = {"orientation": "v", "x": 0, "yref": "container", "y": 0, "yanchor": "bottom"}
    is_long = sum(len(trace["name"]) + KEY for trace in traces) > ACROSS
    room = LINE * len(traces) if is_long else 0
    layout: Json = {
        "title": {"text": escaped(title, MAX_NAME), "x": 0, "xref": "paper", "font": {"size": 15}},
        "xaxis": across,
        "yaxis": upright,
        "height": 340 + room,
        "margin": {"l": 64, "r": 16, "t": 72, "b": 52 + room},
        "legend": below if is_long else above,
        "showlegend": len(traces) > 1,
        "hovermode": "x unified",
        **more,
    }
    return msgspec.json.encode({"data": traces, "layout": layout}).decode()


def escaped(text: str, width: int) -> str:
    """What others wrote, as text and nothing else: the script would obey tags in it."""
    return escape(plain(text, width))
