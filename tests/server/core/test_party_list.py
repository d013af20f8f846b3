"""Listing parties: which ones, in which order, and page after page."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.party_list import Ask, Listing
from server.core.party_room import Room
from server.effects import Stream
from tests.support.players import ALICE, NEW_ID


def room(number: int, label: str = "", *, is_open: bool = True, hidden: bool = False) -> Room:
    made = Room(f"party{number}", number, 1_800_000_000, 4, Stream(7, NEW_ID, label="node1"), ALICE)
    made.show(label, is_open=is_open, hidden=hidden)
    return made


def never() -> None:
    raise AssertionError("the listing was cut")


def listed(rooms: list[Room], ask: Ask) -> tuple[list[int], str]:
    listing = Listing(rooms, ask, never)
    while listing.look(1):
        pass
    found, cursor = listing.page()
    return [each.number for each in found], cursor


def test_the_newest_come_first_and_hidden_ones_not_at_all() -> None:
    rooms = [room(0), room(1, hidden=True), room(2)]

    assert listed(rooms, Ask(limit=10)) == ([2, 0], "")


@pytest.mark.parametrize(("wanted", "found"), [(None, [1, 0]), (True, [0]), (False, [1])])
def test_open_and_closed_ones_can_be_told_apart(wanted: bool | None, found: list[int]) -> None:
    assert listed([room(0), room(1, is_open=False)], Ask(limit=10, open=wanted)) == (found, "")


def test_a_query_chooses_by_label() -> None:
    rooms = [room(0, '{"mode":"ranked"}'), room(1, '{"mode":"casual"}'), room(2)]

    assert listed(rooms, Ask(limit=10, query="+label.mode:ranked")) == ([0], "")
    assert listed(rooms, Ask(limit=10, query="*")) == ([2, 1, 0], "")


def test_a_hidden_party_is_not_found_by_its_label_either() -> None:
    assert listed([room(0, '{"a":1}', hidden=True)], Ask(limit=10, query="+label.a:1")) == ([], "")
    assert listed([room(0, hidden=True)], Ask(limit=10, query="hidden:T")) == ([], "")


def test_the_best_score_comes_first_across_pages() -> None:
    labels = ['{"a":1}', '{"b":1}', '{"a":1,"b":1}', '{"c":1}', '{"b":1}']
    rooms = [room(number, label) for number, label in enumerate(labels)]
    query = "label.a:1^5 label.b:1^2"

    first, cursor = listed(rooms, Ask(limit=2, query=query))
    second, end = listed(rooms, Ask(limit=2, query=query, cursor=cursor))

    assert (first, second, end) == ([2, 0], [4, 1], "")


def test_pages_neither_repeat_nor_skip_while_parties_come_and_go() -> None:
    rooms = [room(number) for number in range(6)]
    first, cursor = listed(rooms, Ask(limit=2))

    rooms = [each for each in rooms if each.number != 5] + [room(6)]
    second, cursor = listed(rooms, Ask(limit=2, cursor=cursor))
    third, end = listed(rooms, Ask(limit=2, cursor=cursor))

    assert (first, second, third, end) == ([5, 4], [3, 2], [1, 0], "")


def test_a_page_that_is_full_to_the_last_place_has_no_cursor() -> None:
    assert listed([room(0), room(1)], Ask(limit=2)) == ([1, 0], "")
    assert listed([], Ask(limit=2)) == ([], "")


def test_it_stops_looking_when_the_page_is_settled() -> None:
    listing = Listing([room(number) for number in range(100)], Ask(limit=3), never)

    assert not listing.look(4)
    assert [each.number for each in listing.page()[0]] == [99, 98, 97]


def test_it_looks_at_no_more_than_it_is_told_to() -> None:
    listing = Listing([room(number) for number in range(10)], Ask(limit=100), never)

    assert listing.look(9)
    assert len(listing.page()[0]) == 9
    assert not listing.look(9)


def test_a_long_label_and_many_clauses_cost_more() -> None:
    rooms = [room(number, '{"a":"x","pad":"' + "y" * 1500 + '"}') for number in range(10)]
    listing = Listing(rooms, Ask(limit=100, query="label.a:*x* " * 9 + "label.a:*y*"), never)

    assert listing.look(1000)
    assert len(listing.page()[0]) == 2


def test_a_listing_that_costs_too_much_makes_do_with_what_it_has_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.core.party_list.MAX_WORK", 10)
    rooms = [room(number) for number in range(11)]
    cuts: list[str] = []

    settled = Listing(rooms[:10], Ask(limit=100), lambda: cuts.append("ten"))
    cut = Listing(rooms, Ask(limit=100), lambda: cuts.append("eleven"))
    for listing in (settled, cut):
        assert not listing.look(1000)

    assert (len(settled.page()[0]), len(cut.page()[0]), cuts) == (10, 10, ["eleven"])


def test_a_query_has_so_many_clauses_and_no_more() -> None:
    assert listed([], Ask(limit=1, query="label.a:1 " * 31 + "label.a:1")) == ([], "")
    with pytest.raises(ValueError, match="more than 32 clauses"):
        Listing([], Ask(limit=1, query="label.a:1 " * 32 + "label.a:1"), never)


@pytest.mark.parametrize("query", ["+", "a:b:c:", "label.a:/(/", "x" * 5000])
def test_a_query_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(ValueError):
        Listing([], Ask(limit=1, query=query), never)


def coded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "!",
        "a",
        "ü",
        base64.urlsafe_b64encode(b"\xff").decode(),
        coded("x"),
        coded({}),
        coded([]),
        coded([1, None, "", 1.0]),
        coded([1, None, "", "1", 1]),
        coded([1, None, "", float("nan"), 1]),
        coded([1, None, "", 1.0, 1.5]),
        coded([2, None, "", 1.0, 1]),
        coded([1, True, "", 1.0, 1]),
        coded([1, None, "*", 1.0, 1]),
        coded([1, None, "", 1.0, 1, 1]),
    ],
)
def test_a_cursor_that_is_none_or_of_another_listing_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError):
        Listing([], Ask(limit=1, cursor=cursor), never)


QUERIES = [
    "",
    "*",
    "+label.a:1",
    "label.a:1 label.b:1",
    "label.a:1^3 label.b:1 -label.c:1",
    "+open:T label.b:1",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(["", '{"a":1}', '{"b":1}', '{"a":1,"b":1}', '{"c":1}']), st.booleans()),
        max_size=25,
    ),
    st.sampled_from(QUERIES),
    st.integers(1, 6),
)
def test_all_pages_together_are_one_long_page(kinds: list[tuple[str, bool]], query: str, limit: int) -> None:
    rooms = [room(number, label, hidden=hidden) for number, (label, hidden) in enumerate(kinds)]
    whole, _ = listed(rooms, Ask(limit=100, query=query))

    pages: list[int] = []
    cursor = "first"
    while cursor:
        page, cursor = listed(
            rooms, Ask(limit=limit, query=query, cursor="" if cursor == "first" else cursor)
        )
        pages += page

    assert pages == whole
