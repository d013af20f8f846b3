"""The pool: who a search is shown, in which order, and how many it had to look at."""

from hypothesis import given
from hypothesis import strategies as st

from server.core import ticket_pool
from server.core.ticket import Search, Ticket
from server.core.ticket_pool import MAX_LOOKED, MAX_SHELVES, TicketPool
from tests.support.searches import search, ticket


def pool_of(tickets: list[Ticket]) -> TicketPool:
    pool = TicketPool()
    for each in tickets:
        pool.add(each)
    return pool


def shown(pool: TicketPool, asker: Ticket, least: int = 0) -> list[int]:
    return [each.number for each in pool.candidates(asker, least)]


def naive(tickets: list[Ticket], asker: Ticket) -> list[int]:
    """Every ticket looked at."""
    found = [
        each
        for each in tickets
        if each.search.min_count >= asker.search.min_count
        and each.search.max_count <= asker.search.max_count
        and asker.query.matches(each.fields)
    ]
    return [each.number for each in sorted(found, key=lambda it: (-asker.query.score(it.fields), it.number))]


PARTS = st.sampled_from(
    [
        "properties.region:eu",
        "properties.region:us",
        "properties.region:*u",
        "properties.rank:>=2",
        "properties.rank:<5",
        "properties.rank:3",
        "properties.both:7",
        "min_count:2",
        "nothing",
    ]
)
QUERIES = st.one_of(
    st.just("*"),
    st.lists(
        st.tuples(st.sampled_from(["+", "+", "", "-"]), PARTS, st.sampled_from(["", "^3"])),
        min_size=1,
        max_size=6,
    ).map(lambda clauses: " ".join(map("".join, clauses))),
)
SEARCHES = st.builds(
    lambda counts, query, region, rank, both: search(
        counts[0],
        counts[1],
        query,
        texts={"region": region} | ({"both": "7"} if both == 1 else {}),
        numbers={"rank": rank} | ({"both": 7.0} if both == 2 else {}),
    ),
    st.sampled_from([(2, 2), (2, 4), (3, 4)]),
    QUERIES,
    st.sampled_from(["eu", "us"]),
    st.sampled_from([1.0, 2.0, 3.0, 5.0, float("nan"), float("inf")]),
    st.integers(0, 2),
)


@given(st.lists(SEARCHES, min_size=1, max_size=40), st.sets(st.integers(0, 39)))
def test_the_index_shows_whom_a_look_at_everyone_would_find(wanted: list[Search], gone: set[int]) -> None:
    tickets = [ticket(number, each) for number, each in enumerate(wanted)]
    pool = pool_of(tickets)
    for number in gone & set(range(len(tickets))):
        pool.remove(tickets[number])
    left = [each for each in tickets if each.number not in gone]

    for asker in tickets:
        assert shown(pool, asker) == naive(left, asker)


def test_a_search_for_more_than_there_are_looks_at_nobody() -> None:
    tickets = [ticket(number, search(2, 8)) for number in range(5)]
    pool = pool_of(tickets)

    assert shown(pool, tickets[0], least=6) == []
    assert shown(pool, tickets[0], least=5) == [0, 1, 2, 3, 4]


def test_a_window_of_a_number_shows_only_those_within() -> None:
    tickets = [ticket(number, search(numbers={"rank": number})) for number in range(2_000)]
    pool = pool_of(tickets)
    asker = ticket(9_999, search(query="+properties.rank:>=1000 +properties.rank:<1003"))

    assert shown(pool, asker) == [1000, 1001, 1002]
    assert pool.looked < 10


def test_a_text_shows_only_those_who_have_it() -> None:
    pool = pool_of([ticket(number, search(texts={"map": f"{number}"})) for number in range(2_000)])

    assert shown(pool, ticket(9_999, search(query="+properties.map:77"))) == [77]
    assert pool.looked < 10


def test_the_first_of_many_in_range_is_found_without_sorting_all() -> None:
    pool = pool_of([ticket(number, search(numbers={"rank": -number})) for number in range(2_000)])

    first = next(pool.candidates(ticket(9_999, search(query="+properties.rank:<=0")), 2))

    assert first.number == 0
    assert pool.looked < 10


def test_no_search_looks_at_more_than_the_limit() -> None:
    asker = ticket(9_999, search(query="+properties.map:x*y"))
    one = ticket(0, search(texts={"map": "z"}))
    pool = pool_of([one])
    costs = []
    for _ in range(2):  # the second look finds the automaton's steps remembered
        before = pool.looked
        assert shown(pool, asker) == []
        costs.append(pool.looked - before)
    assert pool.cut == 0

    for number in range(1, 2 * MAX_LOOKED // max(1, costs[1] - 1), 1):
        pool.add(ticket(number, search(texts={"map": "z"})))
    before = pool.looked
    assert shown(pool, asker) == []

    assert pool.cut == 1
    assert pool.looked - before <= MAX_LOOKED + costs[0]


def test_a_long_query_counts_more() -> None:
    def cost(query: str) -> int:
        pool = pool_of([ticket(number) for number in range(100)])
        shown(pool, ticket(9_999, search(query=query)))
        return pool.looked

    assert cost("-properties.a:x " * 100) > 10 * cost("-properties.a:x")


def test_the_pairs_of_counts_that_a_search_looks_through_are_limited() -> None:
    tickets = [ticket(number, search(2, 2 + number)) for number in range(MAX_SHELVES + 1)]

    found = shown(pool_of(tickets), ticket(9_999, search(2, 10_000)))

    assert found == list(range(MAX_SHELVES))


def test_an_emptied_pool_keeps_nothing() -> None:
    tickets = [ticket(number, search(texts={"a": "x"}, numbers={"b": number})) for number in range(9)]
    pool = pool_of(tickets)

    for each in tickets:
        pool.remove(each)

    assert pool._shelves == {}
    assert ticket_pool.NO_TICKETS == {}
