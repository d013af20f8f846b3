"""A run as a picture in the terminal that is drawn anew with each interval.

It takes the terminal's other screen and gives it back, so that nothing scrolls, nothing wraps, and a window
may be resized at any time. What is shown is reckoned in `history.py`; here it is placed, the most telling
first, as far as there is room.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from loadtest.faces.figures import clock, many, memory, ms, percent, plain
from loadtest.faces.history import COURSE, RECENT, Figures, History
from loadtest.plan import Plan
from loadtest.result import Interval, ServerUse

BLOCKS: Final = "▁▂▃▄▅▆▇█"
LABEL: Final = 20
"""Columns before a course."""
MAXIMUM: Final = 14
"""Columns behind a course, where there is room."""
NAME: Final = 12
HALF: Final = 7
WIDE: Final = 78
"""From here on, the last seconds and the whole run stand side by side."""
MIN_OPERATIONS: Final = 3
MAX_ERRORS: Final = 8
FEW_ERRORS: Final = 3
TALL: Final = 30
"""A terminal of more lines has room for many errors."""
STYLES: Final = {"valid": "green", "strained": "yellow", "INVALID": "bold white on red"}
HINT: Final = "Ctrl-C ends the run and reports"


class LiveView:
    """A watcher, and a context: leaving it, for whatever reason, gives the terminal back."""

    def __init__(self, plan: Plan, console: Console | None = None) -> None:
        self._plan = plan
        self._history = History(plan)
        self._phase = "starting"
        self._live = Live(
            get_renderable=lambda: self,
            console=console,
            screen=True,
            auto_refresh=False,  # nothing changes between two intervals, and a thread would take their time
        )

    def __enter__(self) -> "LiveView":
        self._live.start(refresh=True)
        return self

    def phase(self, text: str) -> None:
        self._phase = text
        self._live.refresh()

    def interval(self, interval: Interval) -> None:
        self._history.add(interval)
        self._live.refresh()

    def end(self) -> None:
        self._live.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.size.height
        for line in islice(self._lines(options.max_width, height), height):
            line.no_wrap, line.overflow = True, "crop"
            yield line

    def _lines(self, width: int, height: int) -> Iterator[Text]:
        """What is shown, at most `height` of them, top first."""
        top = [*self._head(width), *self._use()]
        errors = list(self._errors(MAX_ERRORS if height > TALL else FEW_ERRORS, width))
        courses = list(self._courses(width))
        # Under each part but the last there is an empty line; the table has two lines of heads.
        room = height - len(top) - len(errors) - len(courses) - 5
        table = list(self._table(max(room, MIN_OPERATIONS), width))
        for part in (top, table, courses, errors):
            if part:
                yield from part
                yield Text()

    def _head(self, width: int) -> Iterator[Text]:
        plan, history = self._plan, self._history
        standing, reason = history.standing()
        words = f" {standing}: {reason} " if reason else f" {standing} so far "
        title = (
            f"{plan.scenario.rpartition('/')[2]} · {plan.players} players · {plan.format} · seed {plan.seed}"
        )
        title = plain(title, max(width - len(words) - 1, 1))
        yield Text.assemble(
            (title, "bold"), " " * max(width - len(title) - len(words), 1), (words, STYLES[standing])
        )
        done = min(history.elapsed_s / history.total_s, 1.0) if history.total_s > 0 else 1.0
        told = f"{clock(history.elapsed_s)} of {clock(history.total_s)}  {plain(self._phase, 30)}  "
        bar = max(min(width - len(told) - len(HINT) - 2, 40), 0)
        yield Text.assemble(told, (_bar(done, bar), "cyan"), "  ", (HINT, "dim"))

    def _use(self) -> Iterator[Text]:
        """Who is there, what goes to and fro, and what both sides take for it."""
        history, last = self._history, self._history.last
        if last is None:
            return
        yield _row(
            "players",
            f"{last.connected} connected",
            f"{many(history.rate('arrived'))}/s arrive",
            f"{many(history.rate('sent'))}/s sent",
            f"{many(history.rate('delivered'))}/s delivered",
        )
        yield _row("server", *(_server_words(last.server) if last.server else ["unknown"]))
        own = last.own
        yield _row(
            "swarm",
            f"{percent(own.cpu)} of a core",
            f"loop {ms(own.lag_ms)} ms late",
            f"acts {ms(own.slip_ms)} ms late",
            f"gc {ms(own.gc_ms)} ms",
        )

    def _table(self, rows: int, width: int) -> Iterator[Text]:
        history = self._history
        names = history.telling(rows)
        if not names:
            return
        columns = "".join(f"{name:>{HALF}}" for name in ("p50", "p99", "p99.9", "max"))
        last, whole = f"last {RECENT} s, ms", "whole run, ms"
        is_wide = width >= WIDE
        yield Text(f"{'':{NAME}}{last:>{4 * HALF}}" + f"{whole:>{9 + 4 * HALF}}" * is_wide, "dim")
        yield Text(f"{'':{NAME}}{columns}" + f"{'count':>9}{columns}" * is_wide, "dim")
        for name in names:
            line = Text(f"{plain(name, NAME - 1):{NAME}}", "bold" if name == history.main() else "")
            recent, all_of_it = history.recent(name), history.whole(name)
            line.append(_cells(recent))
            if is_wide:
                line.append(f"{many(all_of_it.count):>9}{_cells(all_of_it)}")
            yield line

    def _courses(self, width: int) -> Iterator[Text]:
        history = self._history
        p99s = history.p99s(history.main())
        if p99s:
            now = f"{ms(p99s[-1])} ms" if p99s[-1] is not None else "-"
            yield _course(f"{plain(history.main(), 7)} p99", now, p99s, width, " ms")
        if any(history.delivered):
            yield _course(
                "delivered", f"{many(history.delivered[-1])}/s", list(history.delivered), width, "/s"
            )
        shares = [None if share is None else 100 * share for share in history.server_cpu]
        if any(share is not None for share in shares):
            now = f"{shares[-1]:.0f} %" if shares[-1] is not None else "-"
            yield _course("server CPU", now, shares, width, " %")

    def _errors(self, most: int, width: int) -> Iterator[Text]:
        shown = self._history.errors(most)
        faults = [f"{many(count)} {name}" for name, count in self._history.faults.items() if count > 0]
        if faults:
            yield Text(f"FAULTS: {', '.join(faults)}", "bold red")
        if shown:
            yield Text(f"{many(self._history.error_count())} errors", "red")
        for error in shown:
            told = f"{many(error.count):>7} x  "
            when = f"  last at {clock(error.last_s)}"
            text = plain(error.text, max(width - len(told) - len(when), 1))
            yield Text.assemble((told, "red"), text, (when, "dim"))


def spark(values: Sequence[float | None], width: int) -> str:
    """The newest `width` values as blocks from nothing to their maximum; a blank is unknown."""
    shown = values[-width:] if width > 0 else []
    top = max((value for value in shown if value is not None), default=0.0)
    return "".join(" " if value is None else _block(value / top if top > 0 else 0.0) for value in shown)


def _block(share: float) -> str:
    return BLOCKS[min(int(max(share, 0.0) * len(BLOCKS)), len(BLOCKS) - 1)]


def _course(label: str, now: str, values: Sequence[float | None], width: int, unit: str) -> Text:
    room = min(width - LABEL, COURSE)
    top = max((value for value in values if value is not None), default=0.0)
    is_wide = width >= LABEL + COURSE + MAXIMUM
    behind = f"  max {ms(top) if unit == ' ms' else many(top)}{unit}" if is_wide else ""
    drawn = spark(values, room)
    head = f"{label}{now:>{LABEL - len(label) - 1}} "
    return Text.assemble(head, (f"{drawn:>{max(room, 0)}}", "cyan"), (behind, "dim"))


def _server_words(use: ServerUse) -> Iterator[str]:
    yield f"{percent(use.cpu)} of a core"
    yield memory(use.rss_bytes)
    metrics = use.metrics
    lag = next((name for name in metrics if "lag" in name and name.endswith("_seconds_p99")), "")
    if lag:
        yield f"loop p99 {ms(1000 * metrics[lag])} ms late"
    unsent = next((name for name in metrics if "unsent" in name and name.endswith("_bytes")), "")
    if unsent:
        yield f"{memory(metrics[unsent])} unsent"


def _row(name: str, *words: str) -> Text:
    line = Text(f"{name:{NAME}}", "dim")
    return line.append("   ".join(words), "not dim")


def _cells(figures: Figures) -> str:
    if not figures.count:
        return f"{'-':>{HALF}}" * 4
    return "".join(f"{ms(each):>{HALF}}" for each in (figures.p50, figures.p99, figures.p999, figures.max))


def _bar(share: float, width: int) -> str:
    full = round(share * width)
    return "━" * full + "╌" * (width - full)
