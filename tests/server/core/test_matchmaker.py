"""The matchmaker: tickets and their limits, rounds, and that no match ever breaks what a ticket asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import RequestError
from server.core.grouping import Group
from server.core.matchmaker import Limits, Matchmaker
from server.core.ticket import MatchmakerError, Search
from tests.support.searches import NOW, player, search


def add(matchmaker: Matchmaker, number: int, wanted: Search | None = None, *sessions: int) -> str:
    """A ticket of one player, or of other sessions."""
    presences = [player(each) for each in sessions or (number,)]
    return matchmaker.add(f"t{number}", presences, wanted or search(), NOW).id


def play_round(matchmaker: Matchmaker, steps: int = 1_000_000, now: float = NOW) -> list[list[str]]:
    return [[ticket.id for ticket in group.tickets] for group in groups_of_round(matchmaker, steps, now)]


def groups_of_round(matchmaker: Matchmaker, steps: int = 1_000_000, now: float = NOW) -> list[Group]:
    matchmaker.begin_round()
    found: list[Group] = []
    while matchmaker.working:
        found += matchmaker.work(steps, now)
    return found


def test_two_who_want_each_other_are_matched_and_gone() -> None:
    matchmaker = Matchmaker(Limits())
    add(matchmaker, 1)
    add(matchmaker, 2)

    assert play_round(matchmaker, now=NOW + 4) == [["t2", "t1"]]
    assert (len(matchmaker), matchmaker.active, matchmaker.matched, matchmaker.groups) == (0, 0, 2, 1)
    assert matchmaker.waited_s == 8
    assert play_round(matchmaker) == []


def test_those_who_have_waited_longest_are_found_first() -> None:
    matchmaker = Matchmaker(Limits())
    for number in (1, 2, 3):
        add(matchmaker, number, search(3, 3))
    add(matchmaker, 4, search(3, 3))

    assert play_round(matchmaker) == [["t2", "t3", "t1"]]


def test_the_better_candidate_is_found_before_the_older() -> None:
    matchmaker = Matchmaker(Limits())
    add(matchmaker, 1, search(query="properties.a:x^2 properties.b:x"))
    add(matchmaker, 2, search(query="+nothing:x", texts={"b": "x"}))
    add(matchmaker, 3, search(query="+nothing:x", texts={"a": "x"}))

    assert play_round(matchmaker) == [["t3", "t1"]]


def test_a_ticket_searches_for_its_maximum_first_and_then_makes_do() -> None:
    matchmaker = Matchmaker(Limits(max_intervals=3))
    for number in (1, 2):
        add(matchmaker, number, search(2, 4))

    assert play_round(matchmaker) == []
    assert play_round(matchmaker) == []
    assert matchmaker.active == 2
    assert play_round(matchmaker) == [["t2", "t1"]]


def test_after_its_rounds_a_ticket_only_waits_to_be_found() -> None:
    matchmaker = Matchmaker(Limits(max_intervals=2))
    add(matchmaker, 1, search(2, 4))
    add(matchmaker, 2, search(3, 3))
    play_round(matchmaker)
    assert matchmaker.active == 1  # who wants exactly three searches once
    play_round(matchmaker)
    assert matchmaker.active == 0

    add(matchmaker, 3, search(2, 4))
    assert play_round(matchmaker) == []
    assert play_round(matchmaker) == [["t1", "t2", "t3"]]


def test_candidates_must_lie_within_the_counts_of_who_searches() -> None:
    for first, second in (((2, 3), (2, 4)), ((2, 2), (2, 3))):
        matchmaker = Matchmaker(Limits(max_intervals=1))
        add(matchmaker, 1, search(*first))
        add(matchmaker, 2, search(*second))

        assert play_round(matchmaker) == [["t1", "t2"]]  # the older one, who searched first, did not find

    matchmaker = Matchmaker(Limits(max_intervals=1))
    add(matchmaker, 1, search(3, 4))
    add(matchmaker, 2, search(2, 4), 2, 3)
    assert play_round(matchmaker) == [["t1", "t2"]]


def test_one_sided_matches_are_possible_unless_precision_is_asked_for() -> None:
    for precise, found in ((False, [["t2", "t1"]]), (True, [])):
        matchmaker = Matchmaker(Limits(rev_precision=precise))
        add(matchmaker, 1)
        add(matchmaker, 2, search(query="+nothing:x"))

        assert play_round(matchmaker) == found


def test_a_session_has_so_many_tickets_and_no_more() -> None:
    matchmaker = Matchmaker(Limits(max_tickets=2))
    add(matchmaker, 1, None, 7)
    add(matchmaker, 2, None, 7)

    with pytest.raises(MatchmakerError, match="too many tickets"):
        add(matchmaker, 3, None, 7)
    matchmaker.remove("session 7", "t1")
    add(matchmaker, 3, None, 7)

    assert (matchmaker.added, matchmaker.removed, len(matchmaker)) == (3, 1, 2)


def test_a_party_has_so_many_tickets_and_no_more() -> None:
    matchmaker = Matchmaker(Limits(max_tickets=1))
    matchmaker.add("t1", [player(1)], search(), NOW, "p.1")

    with pytest.raises(MatchmakerError, match="too many tickets"):
        matchmaker.add("t2", [player(2)], search(), NOW, "p.1")
    with pytest.raises(MatchmakerError, match="too many tickets"):
        matchmaker.add("t2", [player(1)], search(), NOW)


def test_the_pool_takes_so_many_tickets_and_no_more() -> None:
    matchmaker = Matchmaker(Limits(pool=2))
    add(matchmaker, 1)
    add(matchmaker, 2)

    with pytest.raises(MatchmakerError, match="full"):
        add(matchmaker, 3)

    assert (len(matchmaker), matchmaker.refused) == (2, 1)


def test_what_is_refused_leaves_nothing_behind() -> None:
    matchmaker = Matchmaker(Limits())

    with pytest.raises(RequestError):
        add(matchmaker, 1, search(1, 2))
    with pytest.raises(MatchmakerError, match="query"):
        add(matchmaker, 1, search(query="+"))

    assert len(matchmaker) == 0
    assert (matchmaker._of_session, matchmaker._of_party) == ({}, {})


def test_only_its_own_session_withdraws_a_ticket_and_only_a_party_its_own() -> None:
    matchmaker = Matchmaker(Limits())
    add(matchmaker, 1)
    matchmaker.add("of party", [player(2), player(3)], search(2, 4), NOW, "p.1")

    for session_id, ticket_id in (("session 2", "t1"), ("session 2", "of party"), ("session 1", "garbage")):
        with pytest.raises(MatchmakerError, match="ticket not found"):
            matchmaker.remove(session_id, ticket_id)
    for party_id, ticket_id in (("p.2", "of party"), ("", "t1"), ("p.1", "t1")):
        with pytest.raises(MatchmakerError, match="ticket not found"):
            matchmaker.remove_of_party(party_id, ticket_id)
    matchmaker.remove("session 1", "t1")
    matchmaker.remove_of_party("p.1", "of party")

    assert len(matchmaker) == 0
    with pytest.raises(MatchmakerError, match="ticket not found"):
        matchmaker.remove("session 1", "t1")


def test_tickets_end_with_any_of_their_sessions_and_with_their_party() -> None:
    matchmaker = Matchmaker(Limits())
    add(matchmaker, 1)
    matchmaker.add("a", [player(2), player(3)], search(2, 4), NOW, "p.1")
    matchmaker.add("b", [player(4)], search(2, 4), NOW, "p.2")
    matchmaker.add("c", [player(5)], search(2, 4), NOW, "p.2")

    assert matchmaker.close(player(3)) == []
    matchmaker.close_party("p.2")
    matchmaker.close_party("p.9")
    matchmaker.close(player(9))

    assert len(matchmaker) == 1
    assert (list(matchmaker._of_session), matchmaker._of_party) == (["session 1"], {})


def test_tickets_may_come_and_go_within_a_round() -> None:
    matchmaker = Matchmaker(Limits())
    for number in range(6):
        add(matchmaker, number, search(2, 3, query=f"+properties.q:{number}"))
    matchmaker.begin_round()
    matchmaker.work(1, NOW)
    matchmaker.close(player(3))
    add(matchmaker, 7)

    while matchmaker.working:
        matchmaker.work(1, NOW)

    assert len(matchmaker) == 6
    assert matchmaker._active["t7"] == 0  # its first round is the next one


def test_a_round_begins_after_the_last_one_is_over() -> None:
    matchmaker = Matchmaker(Limits())
    add(matchmaker, 1)
    matchmaker.begin_round()

    with pytest.raises(AssertionError):
        matchmaker.begin_round()


# ---- whatever is asked for, no match breaks it

QUERIES = st.sampled_from(
    [
        "*",
        "",
        "+properties.region:eu",
        "-properties.region:eu",
        "+properties.region:/e.|us/ properties.rank:>2^2",
        "+properties.rank:>=1 +properties.rank:<=3",
        "properties.rank:1 properties.rank:2^3",
        "properties.a:1 properties.b:2 properties.rank:1 properties.rank:2 properties.region:e*",
        "+min_count:2",
    ]
)


@st.composite
def asked(draw: st.DrawFn) -> tuple[Search, int, str, bool]:
    """A search, the players of its ticket, their party, and whether a session is shared with others."""
    multiple = draw(st.sampled_from([1, 1, 2, 3]))
    least = multiple * draw(st.integers(-(-2 // multiple), 4))
    most = least + multiple * draw(st.integers(0, 3))
    wanted = search(
        least,
        most,
        draw(QUERIES),
        multiple,
        {"region": draw(st.sampled_from(["eu", "us", "as"]))},
        {"rank": draw(st.sampled_from([0.0, 1.0, 2.0, 3.0]))},
    )
    party = draw(st.sampled_from(["", "", "p.1", "p.2"]))
    return wanted, draw(st.integers(1, 4)) if party else 1, party, draw(st.booleans())


def fill(matchmaker: Matchmaker, many: list[tuple[Search, int, str, bool]]) -> dict[str, Search]:
    added: dict[str, Search] = {}
    for number, (wanted, size, party, shares) in enumerate(many):
        presences = [player(10 * number + each) for each in range(size)]
        if shares and party == "":
            presences = [player(0)]
        try:
            matchmaker.add(f"t{number}", presences, wanted, NOW, party)
        except MatchmakerError:
            continue
        added[f"t{number}"] = wanted
    return added


def check(group: Group, *, precise: bool) -> None:
    *found, searching = group.tickets
    sessions = [each.session_id for ticket in group.tickets for each in ticket.presences]
    parties = [ticket.party_id for ticket in group.tickets if ticket.party_id]
    assert found
    assert len(sessions) == len(set(sessions))
    for ticket in group.tickets:
        wanted = ticket.search
        assert wanted.min_count <= len(sessions) <= wanted.max_count
        assert len(sessions) % wanted.count_multiple == 0
    for ticket in found:
        assert searching.query.matches(ticket.fields)
        assert ticket.search.min_count >= searching.search.min_count
        assert ticket.search.max_count <= searching.search.max_count
    assert searching.party_id == "" or parties.count(searching.party_id) == 1
    if precise:
        assert all(a.query.matches(b.fields) for a in group.tickets for b in group.tickets if a is not b)


@given(st.lists(asked(), max_size=30), st.booleans(), st.integers(1, 3), st.integers(1, 200))
def test_no_match_ever_breaks_what_a_ticket_asked_for(
    many: list[tuple[Search, int, str, bool]], precise: bool, intervals: int, steps: int
) -> None:
    matchmaker = Matchmaker(Limits(max_intervals=intervals, rev_precision=precise))
    left = fill(matchmaker, many)

    for _ in range(intervals + 1):
        for group in groups_of_round(matchmaker, steps):
            check(group, precise=precise)
            for each in group.tickets:
                del left[each.id]  # nobody is matched twice

    assert len(matchmaker) == len(left)
    assert matchmaker.active == 0


@given(st.lists(asked(), max_size=20), st.booleans())
def test_the_same_calls_give_the_same_matches(
    many: list[tuple[Search, int, str, bool]], precise: bool
) -> None:
    runs = []
    for _ in range(2):
        matchmaker = Matchmaker(Limits(rev_precision=precise))
        fill(matchmaker, many)
        runs.append([play_round(matchmaker) for _ in range(3)])

    assert runs[0] == runs[1]


@given(st.lists(asked(), max_size=20))
def test_how_long_its_steps_are_makes_no_difference(many: list[tuple[Search, int, str, bool]]) -> None:
    runs = []
    for steps in (1, 1_000_000):
        matchmaker = Matchmaker(Limits())
        fill(matchmaker, many)
        runs.append([play_round(matchmaker, steps) for _ in range(3)])

    assert runs[0] == runs[1]


@given(st.lists(asked().filter(lambda each: not each[2] and not each[3]), max_size=12))
def test_who_could_have_had_a_pair_is_not_left(many: list[tuple[Search, int, str, bool]]) -> None:
    matchmaker = Matchmaker(Limits())
    pairs = [
        (search(2, 2, wanted.query, 1, wanted.string_properties, wanted.numeric_properties), 1, "", False)
        for wanted, *_ in many
    ]
    fill(matchmaker, pairs)

    play_round(matchmaker)

    left = list(matchmaker._tickets.values())
    assert not any(a.query.matches(b.fields) for a in left for b in left if a is not b)


def test_ten_thousand_tickets_find_each_other_without_a_look_at_all_pairs() -> None:
    matchmaker = Matchmaker(Limits())
    regions = ["eu", "us", "as", "sa"]
    for number in range(10_000):
        region, rank = regions[number % 4], (number * 7919) % 3_000
        wanted = search(
            2,
            2,
            f"+properties.region:{region} +properties.rank:>={rank - 50} +properties.rank:<={rank + 50}",
            texts={"region": region},
            numbers={"rank": rank},
        )
        matchmaker.add(f"t{number}", [player(number)], wanted, NOW)

    found = groups_of_round(matchmaker)

    assert matchmaker.looked < 10_000 * 100
    assert len(found) > 4_900


def test_a_thousand_who_find_nobody_are_looked_at_once() -> None:
    matchmaker = Matchmaker(Limits())
    for number in range(1_000):
        add(matchmaker, number, search(2, 2, query="+properties.region:/nowhere/", texts={"region": "eu"}))

    assert play_round(matchmaker) == []
    assert matchmaker.looked < 1_000 * 40


def test_a_slice_ends_where_asking_all_pairs_takes_long() -> None:
    matchmaker = Matchmaker(Limits(rev_precision=True))
    for number in range(120):
        add(matchmaker, number, search(2, 100, query=f"-properties.nobody:{number}"))
    matchmaker.begin_round()

    matchmaker.work(1_000, NOW)

    assert matchmaker.searches == 1
    assert matchmaker.working
