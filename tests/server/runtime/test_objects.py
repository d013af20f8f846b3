"""Stored objects as values."""

from typing import Any

import pytest

from server.runtime.objects import (
    InvalidObject,
    NoSuchOwner,
    NotPermitted,
    ObjectDelete,
    ObjectId,
    ObjectsRefused,
    ObjectWrite,
    Refusal,
    StoredObject,
    TooManyObjects,
    VersionConflict,
    object_text,
)

STORED = StoredObject(
    collection="saves",
    key="slot1",
    user_id="u",
    text='{"level":3,"name":"Zoë"}',
    version="v",
    permission_read=1,
    permission_write=1,
    create_time=1,
    update_time=2,
)


def test_the_value_is_read_anew_so_that_a_change_of_it_changes_nothing() -> None:
    STORED.value["level"] = 4

    assert STORED.value == {"level": 3, "name": "Zoë"}


def test_objects_and_changes_of_them_share_their_id() -> None:
    write = ObjectWrite(collection="saves", key="slot1", user_id="u", text="{}")
    delete = ObjectDelete(collection="saves", key="slot1", user_id="u")

    assert STORED.id == write.id == delete.id == ObjectId("saves", "slot1", "u")


def test_a_value_is_not_printed() -> None:
    write = ObjectWrite(collection="saves", key="slot1", text='{"level":3}')

    assert "level" not in repr(STORED)
    assert "level" not in repr(write)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"level": 3, "at": (1.5, -2)}, '{"level":3,"at":[1.5,-2]}'),
        ({"name": "Zoë 😀", "none": None}, '{"name":"Zoë 😀","none":null}'),
    ],
)
def test_a_value_is_written_as_compact_json(value: dict[str, Any], text: str) -> None:
    assert object_text(value) == text


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": "\ud800"},
        {"x": {1}},
        {"x": b""},
        {b"x": 1},
        nested(9999),
    ],
    ids=["nan", "infinity", "surrogate", "set", "bytes", "key", "depth"],
)
def test_what_json_cannot_say_is_refused_without_quoting_it(value: Any) -> None:
    with pytest.raises(InvalidObject, match=r"^The value is no JSON object: \w+$"):
        object_text(value)


def test_each_refusal_is_told_by_its_reason() -> None:
    refusals: list[type[ObjectsRefused]] = [
        VersionConflict,
        NotPermitted,
        TooManyObjects,
        NoSuchOwner,
        InvalidObject,
    ]

    assert {each.refusal for each in refusals} == set(Refusal)
