"""Messages of any class, and envelopes around them, as hypothesis makes them up."""

import math
from datetime import UTC, datetime
from typing import Any, get_args, get_origin

from hypothesis import strategies as st

from protocol.envelope import Envelope
from protocol.hints import Hint, hints
from protocol.message import Message
from protocol.messages import INCOMING, OUTGOING

TEXTS = st.text(max_size=8)
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    bytes: st.binary(max_size=8),
    float: st.floats(allow_nan=False) | st.sampled_from([math.inf, -math.inf, -0.0]),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def messages(cls: type[Message]) -> st.SearchStrategy[Message]:
    """Instances with any of their fields set; of a oneof, one at most."""
    fields = hints(cls)
    plain = {name: _values(hint) for name, hint in fields.items() if not hint.field.oneof}
    choices = [name for name, hint in fields.items() if hint.field.oneof]
    choice = st.sampled_from([None, *choices])

    def make(values: dict[str, Any], chosen: str | None, text: str) -> Message:
        return cls(**values, **({} if chosen is None else {chosen: text}))

    return st.builds(make, st.fixed_dictionaries({}, optional=plain), choice, TEXTS)


def envelopes(members: dict[str, type[Message]] | None = None) -> st.SearchStrategy[Envelope]:
    """Any message with any cid."""
    classes = list((members or {**INCOMING, **OUTGOING}).values())
    return st.builds(Envelope, st.sampled_from(classes).flatmap(messages), TEXTS)


def _values(hint: Hint) -> st.SearchStrategy[Any]:
    if hint.bits:
        return st.integers(-(2 ** (hint.bits - 1)), 2 ** (hint.bits - 1) - 1)
    if get_origin(hint.kind) is dict:
        keys, values = get_args(hint.kind)
        return st.dictionaries(SCALARS[keys], SCALARS[values], max_size=3)
    if get_origin(hint.kind) is tuple:
        part = get_args(hint.kind)[0]
        item = messages(part) if issubclass(part, Message) else SCALARS[part]
        return st.lists(item, max_size=3).map(tuple)
    if isinstance(hint.kind, type) and issubclass(hint.kind, Message):
        return messages(hint.kind)
    return SCALARS[hint.kind]
