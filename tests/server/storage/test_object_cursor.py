"""Cursors of listings of objects: one spelling each, for one listing each."""

import base64

import pytest

from server.storage.object_cursor import MAX_TEXT, Position, decode, encode
from tests.support.issuer import ALICE, BOB

WIDEST = Position("é" * 64, ALICE)


@pytest.mark.parametrize("position", [Position("slot1", ALICE), Position("a", ""), WIDEST])
def test_a_cursor_says_where_to_go_on(position: Position) -> None:
    text = encode(position, "saves", ALICE)

    assert decode(text, "saves", ALICE) == position
    assert len(text) < MAX_TEXT


@pytest.mark.parametrize("which", [("saves", BOB), ("saves", None), ("saves", ""), ("save", "s" + ALICE)])
def test_a_cursor_counts_for_its_listing_alone(which: tuple[str, str | None]) -> None:
    text = encode(Position("slot1", ALICE), "saves", ALICE)

    assert decode(text, *which) is None


def spelled_otherwise() -> list[str]:
    text = encode(Position("slot1", ALICE), "saves")
    packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    longer = packed[:8] + bytes([200]) + packed[9:]
    return [
        "",
        "garbage",
        "ü",
        "AAAA",
        text + "=",
        text + "\n",
        text[:-1],
        "." + text,
        base64.urlsafe_b64encode(longer).decode().rstrip("="),
        base64.urlsafe_b64encode(packed[:9] + b"\xff" * 40).decode(),
        encode(Position("", ""), "saves"),
        "A" * 100_000,
    ]


@pytest.mark.parametrize("text", spelled_otherwise(), ids=lambda text: repr(text[:12]))
def test_anything_else_is_no_cursor(text: str) -> None:
    assert decode(text, "saves") is None
