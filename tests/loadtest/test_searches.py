"""Who waits for others while they wait too was wronged, and so was who is not told what others are."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.searches import APART, GRACE_NS, UNTOLD, Searches, Waiting

S = 1_000_000_000
PATIENCE_NS = 20 * S


def waiting(searches: Searches, user_id: str, *since_s: float, region: str = "r0") -> Waiting:
    made = Waiting(user_id, region)
    for ticket, at_s in enumerate(since_s):
        made.open[f"{user_id}-{ticket}"] = (0, round(at_s * S))
    searches.join(made)
    return made


def left(searches: Searches, who: Waiting, at_s: float, count: int = 2) -> list[str]:
    return list(searches.leave(who, count, round(at_s * S), PATIENCE_NS))


def test_who_found_everybody_was_not_wronged() -> None:
    searches = Searches()
    first, second = waiting(searches, "a"), waiting(searches, "b")
    for each in (first, second):
        searches.tell(each.user_id, ("a", "b"), 0)

    assert len(searches) == 0
    assert left(searches, first, 100) == left(searches, second, 100) == []


def test_who_is_alone_in_a_region_may_wait() -> None:
    searches = Searches()
    alone, other = waiting(searches, "a", 0, 1, 2), waiting(searches, "b", 0, region="r1")

    assert left(searches, alone, 100) == left(searches, other, 100) == []


@pytest.mark.parametrize(("at_s", "told"), [(20, [APART]), (19.9, [])])
def test_two_who_wait_for_each_other_so_long_were_to_be_matched(at_s: float, told: list[str]) -> None:
    searches = Searches()
    first = waiting(searches, "a", 0)
    second = waiting(searches, "b", 0, 15)

    assert left(searches, first, at_s) == told
    assert left(searches, second, at_s) == []


def test_who_came_late_may_wait() -> None:
    searches = Searches()
    first = waiting(searches, "a", 0)
    waiting(searches, "b", 10)

    assert left(searches, first, 29) == []


def test_as_many_as_were_asked_for_must_wait() -> None:
    searches = Searches()
    first, *_ = (waiting(searches, name, 0) for name in "abc")

    assert left(searches, first, 30, count=4) == []
    assert left(searches, waiting(searches, "d", 0), 30, count=3) == [APART]


def test_who_is_not_told_what_others_were_is_wronged() -> None:
    searches = Searches()
    told, untold = waiting(searches, "a"), waiting(searches, "b", 0)
    searches.tell("a", ("a", "b"), 0)
    assert len(searches) == 1

    assert left(searches, untold, GRACE_NS / S) == [UNTOLD]
    assert len(searches) == 0
    assert left(searches, told, 100) == []


def test_who_is_told_a_little_later_is_not() -> None:
    searches = Searches()
    waiting(searches, "a")
    late = waiting(searches, "b", 0)
    searches.tell("a", ("a", "b"), 0)

    assert left(searches, late, GRACE_NS / S - 0.1) == []


def test_each_of_two_matches_of_the_same_players_is_to_be_told() -> None:
    searches = Searches()
    waiting(searches, "a")
    second = waiting(searches, "b")
    for user in ("a", "b", "a"):
        searches.tell(user, ("a", "b"), 0)

    assert left(searches, second, 100) == [UNTOLD]


def test_of_players_who_are_not_here_nothing_is_asked() -> None:
    searches = Searches()
    here, gone = waiting(searches, "a"), waiting(searches, "b")
    assert left(searches, gone, 1) == []

    searches.tell("a", ("a", "b"), 0)
    searches.tell("a", ("a", "elsewhere"), 0)

    assert len(searches) == 0
    assert left(searches, here, 100) == []


@given(st.lists(st.sampled_from(["ab", "ac", "bc", "abc"]), max_size=12), st.randoms(use_true_random=False))
def test_in_whatever_order_all_are_told_nothing_is_left(matches: list[str], random: Random) -> None:
    searches = Searches()
    members = [waiting(searches, name) for name in "abc"]
    news = [(user, match) for match in matches for user in match]
    random.shuffle(news)
    for user, match in news:
        searches.tell(user, match, 0)

    assert len(searches) == 0
    assert [fault for each in members for fault in left(searches, each, 100)] == []
