"""Tickets: which searches are refused, what queries of others see, and how well a query is met."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchmakerAdd, PartyMatchmakerAdd
from server.core.query import parse
from server.core.ticket import MAX_TIERED, MatchmakerError, Search, open_ticket, search_of, tiers_of
from tests.support.searches import NOW, player, search, ticket


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (search(1, 2), "Invalid minimum count, must be >= 2"),
        (search(-1, -1), "Invalid minimum count, must be >= 2"),
        (search(3, 2), "Invalid maximum count, must be >= minimum count"),
        (search(2, 2, multiple=0), "Invalid count multiple, must be >= 1"),
        (search(2, 2, multiple=-2), "Invalid count multiple, must be >= 1"),
        (search(3, 4, multiple=2), "Invalid count multiple for minimum count, must divide"),
        (search(2, 5, multiple=2), "Invalid count multiple for maximum count, must divide"),
    ],
)
def test_counts_that_make_no_sense_are_refused(wanted: Search, text: str) -> None:
    with pytest.raises(RequestError) as refused:
        wanted.check()

    assert (refused.value.code, refused.value.message) == (ErrorCode.BAD_INPUT, text)


def test_counts_at_the_edge_are_taken() -> None:
    search(2, 2).check()
    search(2, 1_000_000).check()
    search(4, 8, multiple=4).check()


def test_a_query_that_is_none_is_refused_and_an_empty_one_is_everything() -> None:
    with pytest.raises(MatchmakerError, match="query invalid"):
        ticket(1, search(query="+++("))

    assert ticket(1, search(query="")).query.matches({})


def test_nobody_and_one_session_twice_are_refused() -> None:
    for presences in ((), (player(1), player(1))):
        with pytest.raises(MatchmakerError, match="duplicate session"):
            open_ticket("id", 1, presences, "", search(), NOW)


def test_queries_see_the_properties_and_the_ticket_itself() -> None:
    made = ticket(7, search(2, 4, texts={"region": "eu", "rank": "x"}, numbers={"rank": 3}), party_id="p.1")

    assert made.fields == {
        "ticket": "ticket 7",
        "min_count": 2,
        "max_count": 4,
        "party_id": "p.1",
        "created_at": NOW * 1e9,
        "properties.region": "eu",
        "properties.rank": 3,
    }


FIELDS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["x", "y"]))
CLAUSES = st.tuples(
    st.sampled_from(["", "", "+", "-"]),
    st.sampled_from("abcd"),
    st.sampled_from(["x", "y"]),
    st.sampled_from(["", "^2", "^0.5"]),
)


@given(st.lists(CLAUSES, min_size=1, max_size=MAX_TIERED), st.lists(FIELDS, max_size=8))
def test_tiers_order_fields_as_scores_do(
    clauses: list[tuple[str, str, str, str]], many: list[dict[str, str]]
) -> None:
    query = parse(" ".join(f"{sign}{name}:{text}{boost}" for sign, name, text, boost in clauses))
    tiers = tiers_of(query)
    assert tiers is not None

    scores: list[set[float]] = []
    for tier in tiers:
        held = [fields for fields in many if any(each.matches(fields) for each in tier)]
        scores.append({query.score(fields) for fields in held})
    for fields in many:
        hits = sum(each.matches(fields) for tier in tiers for each in tier)
        assert hits == query.matches(fields)  # once if at all

    assert all(len(each) <= 1 for each in scores)
    found = [each.pop() for each in scores if each]
    assert found == sorted(found, reverse=True)


def test_a_query_of_many_wishes_has_no_tiers() -> None:
    assert tiers_of(parse(" ".join(f"a:{each}" for each in range(MAX_TIERED + 1)))) is None


@pytest.mark.parametrize("kind", [MatchmakerAdd, PartyMatchmakerAdd])
def test_what_a_message_leaves_out_asks_for_everybody_in_any_number(
    kind: type[MatchmakerAdd] | type[PartyMatchmakerAdd],
) -> None:
    assert search_of(kind(min_count=2, max_count=4)) == Search(2, 4, 1, "*", {}, {})
    assert search_of(kind(min_count=2, max_count=4, count_multiple=0)).count_multiple == 0
