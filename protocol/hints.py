"""The annotations of a message class, taken apart: what every wire form is derived from."""

import types
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from protocol.message import Field, Integer, Message


class Hint(NamedTuple):
    """A field's annotation, taken apart."""

    kind: Any
    field: Field
    bits: int
    optional: bool = False
    """Whether it may be None: a message, a wrapper type, or a choice of a oneof."""


def hints(message: type[Message]) -> dict[str, Hint]:
    """The fields of a class by name."""
    found = get_type_hints(message, include_extras=True)
    return {name: _take_apart(found[name]) for name in message.__struct_fields__}


def _take_apart(hint: Any) -> Hint:
    kind, *marks = get_args(hint)
    optional = get_origin(kind) in (Union, types.UnionType)
    if optional:
        (kind,) = (part for part in get_args(kind) if part is not type(None))
        if hasattr(kind, "__metadata__"):
            marks = [*kind.__metadata__, *marks]
            kind = kind.__origin__
    bits = next((mark.bits for mark in marks if isinstance(mark, Integer)), 0)
    return Hint(kind, next(mark for mark in marks if isinstance(mark, Field)), bits, optional)


def messages_in(kind: Any) -> list[type[Message]]:
    """The message classes that a field's type mentions."""
    parts = [kind, *get_args(kind)]
    return [part for part in parts if isinstance(part, type) and issubclass(part, Message)]
