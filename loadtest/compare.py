"""What changed from run A to run B, and whether it is more than each run's own variation.

Only the time that was measured counts. Operations that happened before it, while the players came in, are
told without a bound. The arithmetic of bounds is in `bootstrap`, the look at what else differs in `likeness`.
"""

from typing import Final, Literal

import msgspec

from loadtest.bootstrap import LEVEL, MIN_STRETCHES, block_length, bound
from loadtest.figures import OPERATIONS
from loadtest.likeness import differences
from loadtest.result import Result
from loadtest.stretches import Run, Side, cost, cut, delivered, latencies, mean_of, percentile_of

Change = Literal["better", "worse", "none", "unclear"]
"""`none`: no more than the runs' own variation. `unclear`: no bound can be told."""

SEED: Final = 20_000
PERCENTILES: Final = (50.0, 99.0)
MIN_BEYOND: Final = 10
"""Latencies that must lie beyond a percentile for a bound on it."""
SAID: Final[dict[Change, str]] = {"better": "better", "worse": "WORSE", "none": "no change shown"}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both runs; None where a run has none."""

    metric: str
    unit: str
    a: float | None
    b: float | None
    difference: float | None = None
    """b - a."""
    ratio: float | None = None
    """b / a."""
    low: float | None = None
    """The ratio lies between this and `high`, at the level of the comparison."""
    high: float | None = None
    change: Change = "unclear"
    note: str = ""
    """Why there is no bound."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Both runs side by side."""

    kind: str = "lockgate-swarm-comparison"
    schema: int = 1
    level: float = LEVEL
    begun_a: str
    begun_b: str
    server_a: str
    """Version, empty if the server did not tell."""
    server_b: str
    warnings: list[str]
    """What else differs between the runs, and what is wrong with one."""
    rows: list[Row]
    notes: list[str]
    """How the bounds are to be read."""


def compare(a: Result, b: Result) -> Comparison:
    """Compare. Raises SwarmError for a result whose histograms cannot be read."""
    one, other = cut(a, SEED), cut(b, SEED + 1)
    rows = [_row("delivered", "/s", delivered(one), delivered(other), more_is_better=True)]
    for operation in _operations(one, other):
        rows += _latency_rows(operation, one, other)
    rows.append(_row("server CPU per delivery", "us", cost(one), cost(other)))
    rows = [row for row in rows if row.a or row.b]
    return Comparison(
        begun_a=a.begun,
        begun_b=b.begun,
        server_a=a.machine.versions.get("server", ""),
        server_b=b.machine.versions.get("server", ""),
        warnings=differences(a, b),
        rows=rows,
        notes=_notes(one, other, sum(row.low is not None for row in rows)),
    )


def text(comparison: Comparison) -> str:
    """A table for people: what else differs, the figures, and how to read them."""
    head = ("", "A", "B", "change", f"at {comparison.level:.0%}", "")
    lines = [head, *(_cells(row) for row in comparison.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    runs = [
        f"A: {comparison.begun_a}{_server(comparison.server_a)}",
        f"B: {comparison.begun_b}{_server(comparison.server_b)}",
    ]
    warnings = [f"WARNING: {each}" for each in comparison.warnings]
    return "\n".join([*runs, *warnings, "", *(_line(line, widths) for line in lines), "", *comparison.notes])


def _operations(a: Run, b: Run) -> list[str]:
    """Those that either run timed, the swarm's own first, in the order of a player's life."""
    found = {
        *a.result.timings,
        *b.result.timings,
        *(name for run in (a, b) for stretch in run.stretches for each in stretch for name in each.response),
    }
    return [*(name for name in OPERATIONS if name in found), *sorted(found - set(OPERATIONS))]


def _latency_rows(operation: str, a: Run, b: Run) -> list[Row]:
    one, other = latencies(a, operation), latencies(b, operation)
    if not one or not other:
        return [_whole(operation, name, a.result, b.result) for name in ("p50", "p99", "mean")]
    rows = [
        _row(
            f"{operation} p{percent:g}",
            "ms",
            percentile_of(a, one, percent),
            percentile_of(b, other, percent),
            needed=round(MIN_BEYOND / (1 - percent / 100)),
        )
        for percent in PERCENTILES
    ]
    return [*rows, _row(f"{operation} mean", "ms", mean_of(a, one), mean_of(b, other), needed=MIN_BEYOND)]


def _whole(operation: str, name: str, a: Result, b: Result) -> Row:
    """Of an operation that a run did not do in its measured time: the figure of all of the run, unbounded."""
    found = [_figure(result, operation, name) for result in (a, b)]
    note = "only in one run" if None in found else "not in the measured time"
    return _plain(f"{operation} {name}", "ms", found[0], found[1], note)


def _figure(result: Result, operation: str, name: str) -> float | None:
    timing = result.timings.get(operation)
    return float(getattr(timing.response, name)) if timing and timing.response.count else None


def _row(
    metric: str,
    unit: str,
    a: Side | None,
    b: Side | None,
    *,
    needed: int = 0,
    more_is_better: bool = False,
) -> Row:
    """`needed`: latencies without which nothing is claimed."""
    if a is None or b is None:
        values = [None if side is None else side.value for side in (a, b)]
        return _plain(metric, unit, values[0], values[1], "only in one run")
    if a.draws is None or b.draws is None:
        return _plain(metric, unit, a.value, b.value, f"fewer than {MIN_STRETCHES} intervals")
    if min(a.count, b.count) < needed:
        return _plain(metric, unit, a.value, b.value, f"fewer than {needed:,} latencies")
    grain = 1.0 if a.count else 0.0  # histograms are in whole microseconds
    found = bound(a.statistic, a.draws, b.statistic, b.draws, grain)
    if found is None:
        return _plain(metric, unit, a.value, b.value, "too rare, or zero")
    low, high = found
    change: Change = "none"
    if low > 1 or high < 1:
        change = "better" if (low > 1) is more_is_better else "worse"
    row = _plain(metric, unit, a.value, b.value, "")
    return msgspec.structs.replace(row, low=low, high=high, change=change)


def _plain(metric: str, unit: str, a: float | None, b: float | None, note: str) -> Row:
    """Without a bound."""
    if a is None or b is None:
        return Row(metric=metric, unit=unit, a=a, b=b, note=note)
    return Row(metric=metric, unit=unit, a=a, b=b, difference=b - a, ratio=b / a if a else None, note=note)


def _notes(a: Run, b: Run, bounds: int) -> list[str]:
    lines = [f"Measured intervals: {a.intervals} in A, {b.intervals} in B."]
    if a.draws is None or b.draws is None:
        return [*lines, f"Bounds need at least {MIN_STRETCHES} of each; none is claimed."]
    for name, run in (("A", a), ("B", b)):
        count = len(run.stretches)
        lines.append(f"{name} was drawn anew from {count} stretches, in blocks of {block_length(count)}.")
    return [
        *lines,
        "Bounds tell how each run varied within itself, not how a run differs from the next one of the same",
        "server: repeat both before you believe a small change.",
        f"Each of the {bounds} bounds stands for itself: about one in twenty misses by chance.",
    ]


def _cells(row: Row) -> tuple[str, ...]:
    change = "" if row.ratio is None else f"{row.ratio - 1:+.1%}"
    limits = "" if row.low is None or row.high is None else f"{row.low - 1:+.1%} .. {row.high - 1:+.1%}"
    said = SAID.get(row.change, row.note)
    return row.metric, _told(row.a, row.unit), _told(row.b, row.unit), change, limits, said


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    metric, *figures, said = cells
    placed = [cell.rjust(width) for cell, width in zip(figures, widths[1:-1], strict=True)]
    return "  ".join([metric.ljust(widths[0]), *placed, said]).rstrip()


def _told(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return number + (unit if unit.startswith("/") else f" {unit}")


def _server(version: str) -> str:
    return f", server {version}" if version else ""
