"""One search: who may be packed together, and when it makes do with less."""

from server.core.grouping import MAX_BUNDLES, Group, Grouping
from server.core.ticket import Ticket, open_ticket
from tests.support.searches import NOW, player, search, ticket


def offer(grouping: Grouping, *candidates: Ticket) -> Group | None:
    found = None
    for candidate in candidates:
        assert found is None
        found = grouping.offer(candidate)
    return found


def numbers(group: Group | None) -> list[int] | None:
    return None if group is None else [each.number for each in group.tickets]


def test_a_group_of_the_maximum_is_taken_at_once_with_the_searching_ticket_last() -> None:
    grouping = Grouping(ticket(1, search(2, 3)), mutual=False)

    assert offer(grouping, ticket(2, search(2, 3))) is None
    assert numbers(offer(grouping, ticket(3, search(2, 3)))) == [2, 3, 1]


def test_less_than_the_maximum_is_settled_for_if_everyone_has_their_minimum() -> None:
    grouping = Grouping(ticket(1, search(2, 5)), mutual=False)
    offer(grouping, ticket(2, search(2, 5)), ticket(3, search(3, 5)))

    assert numbers(grouping.settle()) == [2, 3, 1]


def test_nobody_settles_for_less_than_their_minimum() -> None:
    grouping = Grouping(ticket(1, search(2, 5)), mutual=False)
    offer(grouping, ticket(2, search(4, 5)), ticket(3, search(2, 5)))

    assert grouping.settle() is None


def test_a_group_is_trimmed_to_the_multiple_by_those_who_came_last() -> None:
    grouping = Grouping(ticket(1, search(2, 6, multiple=2)), mutual=False)
    offer(grouping, *(ticket(number, search(2, 6, multiple=2)) for number in (2, 3, 4, 5)))

    assert numbers(grouping.settle()) == [2, 3, 4, 1]


def test_a_party_that_does_not_fit_is_passed_over() -> None:
    grouping = Grouping(ticket(1, search(2, 3)), mutual=False)

    assert offer(grouping, ticket(2, search(2, 3), size=3, party_id="p.1")) is None
    assert numbers(offer(grouping, ticket(3, search(2, 3), size=2, party_id="p.2"))) == [3, 1]


def test_two_tickets_of_one_party_are_never_together() -> None:
    grouping = Grouping(ticket(1, party_id="p.1"), mutual=False)

    assert offer(grouping, ticket(2, party_id="p.1")) is None
    assert grouping.settle() is None


def test_two_tickets_of_one_session_are_never_together() -> None:
    grouping = Grouping(ticket(1, search(2, 3)), mutual=False)
    again = open_ticket("again", 9, (player(100),), "", search(2, 3), NOW)
    twice = open_ticket("twice", 10, (player(200),), "", search(2, 3), NOW)

    assert offer(grouping, again, ticket(2, search(2, 3)), twice) is None
    assert numbers(grouping.settle()) == [2, 1]


def test_by_default_only_the_query_of_the_searching_ticket_counts() -> None:
    unwilling = ticket(2, search(query="+properties.region:us"))

    assert numbers(Grouping(ticket(1), mutual=False).offer(unwilling)) == [2, 1]
    assert Grouping(ticket(1), mutual=True).offer(unwilling) is None


def test_with_reverse_precision_candidates_must_want_each_other_too() -> None:
    def of(number: int, region: str, query: str) -> Ticket:
        return ticket(number, search(3, 3, query, texts={"region": region}))

    grouping = Grouping(of(1, "eu", "*"), mutual=True)

    assert offer(grouping, of(2, "us", "-properties.region:asia"), of(3, "asia", "*")) is None
    assert numbers(offer(grouping, of(4, "eu", "*"))) == [2, 4, 1]


def test_the_beginnings_that_a_search_keeps_are_limited() -> None:
    grouping = Grouping(ticket(1, search(2, 5)), mutual=False)
    pairs = [ticket(number, search(2, 5), size=3, party_id=f"p.{number}") for number in range(2, 60)]

    assert offer(grouping, *pairs) is None

    assert len(grouping._bundles) == MAX_BUNDLES
