"""The matches that the server runs, by their labels: what a listing finds, best first.

A label that is a JSON object is searched field by field under `label.`; any label is found by its whole text.
Work is done in steps, for there may be many matches and a query may be dear.
"""

import heapq
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from server.core.live_match import LiveMatch, MatchFilter
from server.core.query import Fields, Query, parse
from server.core.query_fields import fields_of

MAX_LABEL_BYTES = 2048
MAX_CLAUSES = 32
"""Clauses of a listing's query; more would hold others up."""

SizeOf = Callable[[str], int]


class LabelTooLong(ValueError):
    """A label is over `MAX_LABEL_BYTES`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A running match. `number` grows with each match; `create_time` is in Unix milliseconds."""

    match: LiveMatch
    number: int
    create_time: int
    fields: Fields


class MatchIndex:
    """Every match that can be listed, by id. `size_of` tells how many are in it."""

    def __init__(self, size_of: SizeOf) -> None:
        self._size_of = size_of
        self._entries: dict[str, Entry] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, match: LiveMatch, *, create_time: int) -> None:
        """List a new match; its `size` is not looked at. Raises LabelTooLong."""
        self._next += 1
        self._entries[match.match_id] = _entry(match, self._next, create_time)

    def relabel(self, match_id: str, label: str) -> None:
        """Raises LabelTooLong, and KeyError for a match that is not there."""
        known = self._entries[match_id]
        self._entries[match_id] = _entry(replace(known.match, label=label), known.number, known.create_time)

    def remove(self, match_id: str) -> None:
        self._entries.pop(match_id, None)

    def get(self, match_id: str) -> LiveMatch | None:
        entry = self._entries.get(match_id)
        return None if entry is None else entry.match

    def search(self, wanted: MatchFilter) -> "Search":
        """Begin to look. Raises ValueError for a query that is none."""
        return Search(list(self._entries.values()), wanted, self._size_of)


class Search:
    """One listing in the making: call `look` until it returns False, then read `found`."""

    def __init__(self, entries: list[Entry], wanted: MatchFilter, size_of: SizeOf) -> None:
        self._entries = entries  # oldest first, and looked at from the end
        self._wanted = wanted
        self._size_of = size_of
        self._query = None if wanted.query is None else _parse(wanted.query)
        self._best: list[tuple[float, int, LiveMatch]] = []
        """A heap of the best; the worst of them comes first."""

    def look(self, matches: int) -> bool:
        """Look at so many more matches. Returns whether there are others still to be looked at."""
        for _ in range(min(matches, len(self._entries))):
            self._consider(self._entries.pop())
        if len(self._best) == self._wanted.limit and (self._query is None or not self._query.should):
            self._entries.clear()  # all scores are equal, and older matches come later
        return bool(self._entries)

    def found(self) -> list[LiveMatch]:
        """The best score first, then the newest match."""
        return [match for _, _, match in sorted(self._best, key=lambda each: each[:2], reverse=True)]

    def _consider(self, entry: Entry) -> None:
        if self._query is not None:
            if not self._query.matches(entry.fields):
                return
        elif self._wanted.label is not None and self._wanted.label != entry.match.label:
            return
        size = self._size_of(entry.match.match_id)
        if not self._wanted.takes(size):
            return
        ranked = self._query is not None and self._query.should  # else all scores are equal
        score = self._query.score(entry.fields) if self._query is not None and ranked else 0.0
        heapq.heappush(self._best, (score, entry.number, replace(entry.match, size=size)))
        if len(self._best) > self._wanted.limit:
            heapq.heappop(self._best)


def label_fields(label: str) -> Fields:
    """What queries see of a label: `label.` and the path to each value, `T` and `F` for booleans.

    Of an array any element counts. A label that is no JSON object has no fields.
    """
    try:
        read: Any = json.loads(label)
    except (ValueError, RecursionError):
        return {}
    return fields_of({"label": read}) if isinstance(read, dict) else {}


def _entry(match: LiveMatch, number: int, create_time: int) -> Entry:
    if len(match.label.encode(errors="replace")) > MAX_LABEL_BYTES:
        raise LabelTooLong(f"match label is longer than {MAX_LABEL_BYTES} bytes")
    fields = {
        **label_fields(match.label),
        "label_string": match.label,
        "node": match.match_id.partition(".")[2],
        "handler_name": match.handler_name,
        "tick_rate": float(match.tick_rate),
        "create_time": float(create_time),
    }
    return Entry(match, number, create_time, fields)


def _parse(text: str) -> Query:
    query = parse(text or "*")
    if len(query.must) + len(query.should) + len(query.must_not) > MAX_CLAUSES:
        raise ValueError(f"more than {MAX_CLAUSES} clauses")
    return query
