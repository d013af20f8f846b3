"""Makes fields of nested values, so that a query can name them: {"label": {"skill": 5}} is `label.skill`."""

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite

from server.core.query import Fields
from server.core.query_tests import Value

MAX_DEPTH = 16
"""Objects and lists within each other; what is deeper is not found."""


def fields_of(nested: Mapping[str, object]) -> Fields:
    """Fields by dotted name. Booleans are the texts T and F; of a list, any element may satisfy a clause.

    Numbers are those of JavaScript; null is no field, and neither is what is not finite.
    """
    found: dict[str, list[Value]] = {}
    for name, value in _leaves("", nested, MAX_DEPTH):
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else tuple(values) for name, values in found.items()}


def _leaves(name: str, value: object, depth: int) -> Iterator[tuple[str, Value]]:
    if isinstance(value, bool):
        yield name, "T" if value else "F"
    elif isinstance(value, str):
        yield name, value
    elif isinstance(value, int | float):
        if isfinite(number := _float(value)):
            yield name, number
    elif not depth:
        return
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(f"{name}.{key}" if name else str(key), each, depth - 1)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _leaves(name, each, depth - 1)


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return inf
