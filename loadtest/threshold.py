"""What a run must keep to, as an expression: `deliver_p99<20ms`, `lost==0`, `server_rss<=200MiB`.

Times without a unit are milliseconds, processor time without one is cores, memory bytes. Which names there
are is the matter of `figures`. A threshold on what a run did not do does not hold: otherwise it would hide
that nothing was done.
"""

import math
import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from loadtest.failures import SwarmError
from loadtest.figures import Figure, Quantity, figure
from loadtest.result import Outcome, Result

UNITS: Final[dict[Quantity, dict[str, float]]] = {
    Quantity.TIME: {"": 1, "us": 0.001, "µs": 0.001, "ms": 1, "s": 1000, "min": 60_000},
    Quantity.NUMBER: {"": 1},
    Quantity.RATE: {"": 1, "/s": 1},
    Quantity.CPU: {"": 1, "%": 0.01},
    Quantity.BYTES: {
        "": 1,
        "b": 1,
        "kb": 1e3,
        "mb": 1e6,
        "gb": 1e9,
        "kib": 2**10,
        "mib": 2**20,
        "gib": 2**30,
    },
}
"""What one of each unit is, in the unit that a figure is told in. Upper and lower case do not matter."""
WRITTEN: Final = {"kb": "kB", "mb": "MB", "gb": "GB", "kib": "KiB", "mib": "MiB", "gib": "GiB", "b": "B"}
ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
EXAMPLE: Final = "deliver_p99<20ms"

_EXPRESSION = re.compile(r"(errors\[.+\]|[^<>=!\[\]]*?)\s*([<>=!]+)\s*([^<>=!]*)", re.DOTALL)
_LIMIT = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\D*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Threshold:
    """One of them, understood. `limit` is in the unit of the figure's quantity."""

    text: str
    figure: Figure
    order: str
    limit: float

    def judge(self, result: Result) -> Outcome:
        """Whether it held."""
        found = self.figure.find(result)
        held = found is not None and keeps(float(found), self.order, self.limit)
        return Outcome(text=self.text, found=None if found is None else float(found), held=held)


def parse(text: str, also: Collection[str] = ()) -> Threshold:
    """Understand an expression. `also`: operations and counts of a scenario, beside those that all have.

    Raises SwarmError that says what is wrong with it.
    """
    text = text.strip()
    parts = _EXPRESSION.fullmatch(text)
    if parts is None:
        raise SwarmError(f"{_quoted(text)} is no threshold: it should look like {EXAMPLE}")
    name, order, limit = parts.groups()
    if order not in ORDERS:
        raise SwarmError(f"threshold {_quoted(text)}: {order!r} is none of {' '.join(ORDERS)}")
    try:
        asked = figure(name, also)
        return Threshold(text, asked, order, _limit(limit, asked))
    except SwarmError as error:
        raise SwarmError(f"threshold {_quoted(text)}: {error}") from None


def keeps(found: float, order: str, limit: float) -> bool:
    """Compare, where what differs by less than arithmetic's own error is the same."""
    if math.isclose(found, limit, rel_tol=1e-9, abs_tol=1e-9):
        found = limit
    return ORDERS[order](found, limit)


def told(value: float, quantity: Quantity) -> str:
    """A figure with its unit, for people."""
    if quantity is Quantity.TIME:
        return f"{value:,.4g} ms" if value < 1000 else f"{value:,.0f} ms"
    if quantity is Quantity.CPU:
        return f"{value:.3g} cores"
    if quantity is Quantity.BYTES:
        return f"{value / 2**20:,.1f} MiB"
    number = f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
    return f"{number}/s" if quantity is Quantity.RATE else number


def told_outcome(outcome: Outcome) -> str:
    """What was asked and what was found, for people."""
    if outcome.found is None:
        return f"{outcome.text}: nothing to look at"
    parts = _EXPRESSION.fullmatch(outcome.text)
    try:
        # Named as the scenario's own, so that it is not taken for a slip a second time.
        quantity = figure(parts[1], (parts[1],)).quantity if parts else Quantity.NUMBER
    except SwarmError:  # of a later program
        quantity = Quantity.NUMBER
    return f"{outcome.text}: found {told(outcome.found, quantity)}"


def _limit(text: str, asked: Figure) -> float:
    parts = _LIMIT.fullmatch(text)
    if parts is None:
        raise SwarmError(
            f"{text!r} is no limit: a number is needed, and a unit if you like" if text else "no limit"
        )
    units = UNITS[asked.quantity]
    unit = parts[2].strip().lower().replace("\u03bc", "µ")  # the Greek letter beside the sign for micro
    if unit not in units:
        fitting = ", ".join(WRITTEN.get(each, each) for each in units if each)
        instead = f"units are {fitting}" if fitting else "it has no unit"
        raise SwarmError(f"{asked.name} is a {asked.quantity.value}, not in {parts[2].strip()!r}; {instead}")
    limit = float(parts[1]) * units[unit]
    if not math.isfinite(limit):
        raise SwarmError(f"{text!r} is too large a limit")
    return limit


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:100] + "…")
