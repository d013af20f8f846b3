"""What a clause of a query asks of one value. Text is compared as a whole and case counts."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from server.core.pattern import MAX_TEXT, Automaton

Value = str | float


@dataclass(frozen=True, slots=True)
class Equal:
    """This text, or this number if the text is one."""

    text: str
    number: float | None = None

    def accepts(self, value: Value) -> bool:
        return value == (self.text if isinstance(value, str) else self.number)


@dataclass(frozen=True, slots=True)
class Range:
    """A number above, or below, the bound."""

    bound: float
    above: bool
    inclusive: bool

    def accepts(self, value: Value) -> bool:
        if isinstance(value, str):
            return False
        if value == self.bound:
            return self.inclusive
        return value > self.bound if self.above else value < self.bound


@dataclass(frozen=True, slots=True)
class Day:
    """A text that is a date in a range of Unix times."""

    range: Range

    def accepts(self, value: Value) -> bool:
        if not isinstance(value, str) or (time := parse_time(value)) is None:
            return False
        return self.range.accepts(time)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text that a wildcard or an expression describes; `any_number`: or a number, whichever."""

    automaton: Automaton
    any_number: bool = False

    def accepts(self, value: Value) -> bool:
        if self.any_number:
            return True
        return isinstance(value, str) and self.automaton.matches(value)


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """A text that so few insertions, deletions and replacements turn into this one."""

    text: str
    edits: int

    def accepts(self, value: Value) -> bool:
        if not isinstance(value, str) or abs(len(value) - len(self.text)) > self.edits:
            return False
        if max(len(value), len(self.text)) > MAX_TEXT:
            return value == self.text
        return _within(self.text, value, self.edits)


Test = Equal | Range | Day | Pattern | Fuzzy


def _within(wanted: str, value: str, edits: int) -> bool:
    """Whether the edit distance is at most `edits`; looks only at a band of that width."""
    far = edits + 1
    before = {column: column for column in range(far)}
    for row, char in enumerate(value, 1):
        now: dict[int, int] = {}
        for column in range(max(0, row - edits), min(len(wanted), row + edits) + 1):
            best = min(before.get(column, far), now.get(column - 1, far)) + 1
            if column:
                changed = char != wanted[column - 1]
                best = min(best, before.get(column - 1, far) + changed)
            now[column] = min(best, far)
        before = now
    return before.get(len(wanted), far) <= edits


_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?", re.ASCII
)


def parse_time(text: str) -> float | None:
    """Unix seconds of a date, with or without a time of day; UTC unless it says otherwise."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    try:
        time = datetime.fromisoformat(f"{day}T{clock or '00:00'}{(zone or 'Z').replace('Z', '+00:00')}")
        seconds = (time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return seconds + float(f"0.{fraction or 0}")
