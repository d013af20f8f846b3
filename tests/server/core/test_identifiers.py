"""UUIDs as clients write them."""

import pytest

from server.core.identifiers import parse_uuid

CANONICAL = "a0209879-beed-42e9-9b1d-a960875a6a02"


@pytest.mark.parametrize(
    "text",
    [
        CANONICAL,
        CANONICAL.upper(),
        CANONICAL.replace("-", ""),
        "{" + CANONICAL + "}",
        "urn:uuid:" + CANONICAL,
    ],
)
def test_every_form_is_read_as_the_canonical_one(text: str) -> None:
    assert parse_uuid(text) == CANONICAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        CANONICAL[:-1],
        CANONICAL + "0",
        CANONICAL + "\n",
        " " + CANONICAL,
        "{" + CANONICAL,
        CANONICAL + "}",
        CANONICAL.replace("-", "", 1),
        CANONICAL.replace("a", "g"),
        CANONICAL.replace("0", "\u0660"),
        "a0-209879beed42e99b1da960875a6a02aaaa",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert parse_uuid(text) is None
