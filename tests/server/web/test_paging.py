"""Cursors and pages: against a list that grows while it is read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from server.identity import base64url
from server.web.errors import Failure
from server.web.paging import END, Cursor, Page, decode, encode, limit_of, page

WHICH = "2...lobby"
CURSORS = st.builds(Cursor, st.integers(0, END), st.booleans(), st.booleans())


@dataclass(frozen=True)
class Item:
    """An item of a list; equal numbers are equal items."""

    number: int


async def fetch(items: Sequence[Item], position: int, limit: int, newer: bool) -> Sequence[Item]:
    """What a database would find."""
    if newer:
        return [each for each in items if each.number > position][:limit]
    return [each for each in reversed(items) if each.number < position][:limit]


def read(items: Sequence[Item], cursor: Cursor | None, limit: int, *, forward: bool) -> Page[Item]:
    return asyncio.run(page(partial(fetch, items), cursor, limit, forward=forward))


def numbered(*numbers: int) -> list[Item]:
    return [Item(number) for number in numbers]


@given(cursor=CURSORS)
def test_a_cursor_comes_back_as_it_was(cursor: Cursor) -> None:
    assert decode(encode(cursor, WHICH), WHICH) == cursor
    assert decode(encode(cursor, WHICH), "2...other") is None


def test_no_cursor_is_no_text() -> None:
    assert encode(None, WHICH) == ""


@given(text=st.text(max_size=40))
def test_any_text_is_a_cursor_or_none(text: str) -> None:
    found = decode(text, WHICH)
    assert found is None or encode(found, WHICH) == text


@given(cursor=CURSORS, noise=st.binary(max_size=30))
def test_a_spoiled_cursor_is_none(cursor: Cursor, noise: bytes) -> None:
    good = base64url.decode(encode(cursor, WHICH))

    assert decode(base64url.encode(good + b"x" + noise), WHICH) is None
    assert decode(base64url.encode(b"\x04" + good[1:]), WHICH) is None
    assert decode(base64url.encode(good[:1] + b"\xff" * 8 + good[9:]), WHICH) is None
    assert decode(encode(cursor, WHICH) + "=", WHICH) is None


@pytest.mark.parametrize(
    ("query", "limit"), [("", 1), ("?limit=1", 1), ("?limit=100", 100), ("?limit=%2B7", 7)]
)
def test_a_limit_is_one_to_a_hundred_and_one_if_absent(query: str, limit: int) -> None:
    assert limit_of(make_mocked_request("GET", f"/{query}")) == limit


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "99999999999999999999"])
def test_any_other_limit_is_refused(limit: str) -> None:
    with pytest.raises(Failure):
        limit_of(make_mocked_request("GET", f"/?limit={limit}"))


def test_the_first_page_begins_at_the_end_it_is_read_from() -> None:
    items = numbered(1, 2, 3)

    oldest = read(items, None, 2, forward=True)
    newest = read(items, None, 2, forward=False)

    assert oldest == Page(numbered(1, 2), Cursor(2), None, Cursor(2))
    assert newest == Page(numbered(3, 2), Cursor(2, forward=False), None, Cursor(3))


def test_a_last_page_has_no_next_and_asks_later_from_its_newest() -> None:
    items = numbered(1, 2, 3)

    last = read(items, Cursor(2), 2, forward=True)

    assert last == Page(numbered(3), None, Cursor(3, is_next=False), Cursor(3))
    assert read(items, last.newest, 2, forward=True) == Page((), None, None, Cursor(3))
    assert read([*items, Item(4)], last.newest, 2, forward=True).items == numbered(4)


def test_an_empty_list_has_no_cursors() -> None:
    for forward in (True, False):
        assert read([], None, 5, forward=forward) == Page((), None, None, None)


def test_going_back_gives_the_page_before_in_the_order_of_reading() -> None:
    items = numbered(*range(1, 8))

    third = read(items, Cursor(4), 2, forward=True)
    second = read(items, third.previous, 2, forward=True)
    first = read(items, second.previous, 2, forward=True)

    assert (third.items, second.items, first.items) == (numbered(5, 6), numbered(3, 4), numbered(1, 2))
    assert first.previous is None
    assert first.next == Cursor(2)


@given(
    forward=st.booleans(),
    gaps=st.lists(st.integers(1, 3), max_size=12),
    turns=st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.integers(0, 2)), max_size=30),
)
def test_pages_in_any_mix_join_without_gap_or_repetition_while_others_write(
    forward: bool, gaps: list[int], turns: list[tuple[bool, int, int]]
) -> None:
    """A reader goes to and fro; each page begins where its neighbour ends, in the list as it is by then."""
    items: list[Item] = []
    write(items, gaps)
    seen = read(items, None, 2, forward=forward)
    for go_on, limit, arriving in turns:
        write(items, [1] * arriving)
        listed = items if forward else items[::-1]
        cursor = seen.next if go_on else seen.previous
        if cursor is None:
            continue
        first, after = listed.index(seen.items[0]), listed.index(seen.items[-1]) + 1

        found = read(items, cursor, limit, forward=forward)

        if go_on:
            assert list(found.items) == listed[after : after + limit]
            assert (found.next is not None) == (after + limit < len(listed))
        else:
            assert list(found.items) == listed[max(0, first - limit) : first]
            assert (found.previous is not None) == (first > limit)
        seen = found if found.items else seen


@given(
    gaps=st.lists(st.integers(1, 3), max_size=12),
    turns=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), max_size=12),
)
def test_a_reader_who_comes_back_with_the_cacheable_cursor_gets_each_item_once(
    gaps: list[int], turns: list[tuple[int, int]]
) -> None:
    items: list[Item] = []
    write(items, gaps)
    seen = read(items, None, 2, forward=True)
    held = list(seen.items)
    for limit, arriving in [*turns, (100, 0)]:
        write(items, [2] * arriving)
        seen = read(items, seen.newest, limit, forward=True)
        held += seen.items

    assert held == items


def write(items: list[Item], gaps: Sequence[int]) -> None:
    for gap in gaps:
        items.append(Item((items[-1].number if items else 0) + gap))
