"""What a call about objects may hold at all."""

import uuid
from typing import Any

import pytest

from server.runtime.objects import InvalidObject
from server.sections import ObjectSettings
from server.storage.object_checks import check_collection, check_ids, check_owners, check_page, check_writes
from tests.support.issuer import ALICE
from tests.support.objects import object_id, to_write

LIMITS = ObjectSettings(value_bytes=64, batch_max=2)
UNSET = "They must be set"
TOO_LONG = "at most 128 bytes"
EDGE = '{"x":"' + "é" * 28 + '"}'  # 64 bytes


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "k" * 128, "collection": "é" * 64},
        {"text": EDGE},
        {"user_id": ""},
        {"permission_read": 0, "permission_write": 0},
        {"permission_read": 2, "permission_write": 1},
    ],
)
def test_up_to_the_limits_an_object_may_be_written(changed: dict[str, Any]) -> None:
    check_writes([to_write(**({"key": "slot"} | changed))], LIMITS)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"key": ""}, UNSET),
        ({"collection": ""}, UNSET),
        ({"text": ""}, UNSET),
        ({"key": "k" * 129}, TOO_LONG),
        ({"collection": "é" * 65}, TOO_LONG),
        ({"key": "a\0b"}, TOO_LONG),
        ({"collection": "\ud800"}, TOO_LONG),
        ({"text": EDGE.replace(":", ": ")}, "at most 64 bytes"),
        ({"text": "\0"}, "JSON object"),
        ({"permission_read": 3}, "Read permission"),
        ({"permission_read": -1}, "Read permission"),
        ({"permission_write": 2}, "Write permission"),
        ({"permission_write": -1}, "Write permission"),
        ({"user_id": "alice"}, "user ID"),
        ({"user_id": ALICE.upper()}, "user ID"),
        ({"user_id": str(uuid.UUID(int=0))}, "user ID"),
    ],
)
def test_beyond_them_it_is_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidObject, match=why):
        check_writes([to_write("fine"), to_write(**({"key": "slot"} | changed))], LIMITS)


def test_a_call_holds_so_many_and_no_more() -> None:
    check_writes([to_write("a"), to_write("b")], LIMITS)
    check_ids([object_id("a"), object_id("b")], LIMITS)

    with pytest.raises(InvalidObject, match="at most 2"):
        check_writes([to_write("a")] * 3, LIMITS)
    with pytest.raises(InvalidObject, match="at most 2"):
        check_ids([object_id("a")] * 3, LIMITS)


def test_ids_are_checked_as_those_of_writes() -> None:
    for odd in (object_id(""), object_id("k", collection=""), object_id("k" * 129), object_id("k", "alice")):
        with pytest.raises(InvalidObject):
            check_ids([odd], LIMITS)


def test_a_listing_is_of_something_and_has_a_size() -> None:
    check_collection("saves")
    check_owners([ALICE, ""])
    check_page(1)
    check_page(100)

    with pytest.raises(InvalidObject):
        check_collection("")
    for limit in (0, 101):
        with pytest.raises(InvalidObject, match="between 1 and 100"):
            check_page(limit)
