"""Annotations taken apart."""

from datetime import datetime
from typing import Annotated

import pytest

from protocol.hints import Hint, hints, messages_in
from protocol.message import Field, Int32, Int64, Message
from protocol.messages import MatchJoin, UserPresence


class Sample(Message, frozen=True):
    """One field of each sort."""

    text: Annotated[str, Field(1)] = ""
    wide: Annotated[Int64, Field(2)] = 0
    wrapped: Annotated[Int32 | None, Field(3)] = None
    choice: Annotated[str | None, Field(4, "either")] = None
    when: Annotated[datetime | None, Field(5)] = None
    who: Annotated[tuple[UserPresence, ...], Field(6)] = ()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("text", Hint(str, Field(1), 0)),
        ("wide", Hint(int, Field(2), 64)),
        ("wrapped", Hint(int, Field(3), 32, optional=True)),
        ("choice", Hint(str, Field(4, "either"), 0, optional=True)),
        ("when", Hint(datetime, Field(5), 0, optional=True)),
        ("who", Hint(tuple[UserPresence, ...], Field(6), 0)),
    ],
)
def test_a_field_is_taken_apart(name: str, hint: Hint) -> None:
    assert hints(Sample)[name] == hint


def test_a_map_keeps_what_it_maps_to() -> None:
    assert hints(MatchJoin)["metadata"] == Hint(dict[str, str], Field(3), 0)


def test_messages_are_found_inside_lists() -> None:
    assert messages_in(tuple[UserPresence, ...]) == [UserPresence]
    assert messages_in(UserPresence) == [UserPresence]
    assert messages_in(dict[str, str]) == []
