"""The matchmaker's messages: what is answered, and with which refusals."""

from dataclasses import replace

import pytest

from protocol.errors import ErrorCode, RequestError
from protocol.messages import MatchmakerAdd, MatchmakerRemove, MatchmakerTicket
from server.core.matchmaker import Limits, Matchmaker
from server.effects import Reply
from server.handlers import matchmaker
from tests.support.players import ALICE, BOB, NEW_ID
from tests.support.world import empty_world


def test_a_search_is_answered_with_its_ticket() -> None:
    world = empty_world()

    effects = matchmaker.add(world, ALICE, MatchmakerAdd(min_count=2, max_count=4, query="*"))

    assert effects == [Reply(MatchmakerTicket(ticket=NEW_ID))]
    assert len(world.matchmaker) == 1


def test_an_absent_query_and_an_absent_multiple_are_everything_and_one() -> None:
    world = empty_world()

    matchmaker.add(world, ALICE, MatchmakerAdd(min_count=2, max_count=3))

    [ticket] = world.matchmaker._tickets.values()
    assert (ticket.search.count_multiple, ticket.search.query) == (1, "*")


def test_counts_are_refused_with_what_is_wrong_with_them() -> None:
    with pytest.raises(RequestError, match=r"Invalid count multiple, must be >= 1") as refused:
        matchmaker.add(empty_world(), ALICE, MatchmakerAdd(min_count=2, max_count=2, count_multiple=0))

    assert refused.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize("query", ["+++(", "a:", "+a:/[/", 'a:"'])
def test_a_bad_query_is_refused_without_a_word_on_why(query: str) -> None:
    with pytest.raises(RequestError) as refused:
        matchmaker.add(empty_world(), ALICE, MatchmakerAdd(min_count=2, max_count=2, query=query))

    assert (refused.value.code, refused.value.message) == (
        ErrorCode.RUNTIME_EXCEPTION,
        "Error adding to matchmaker",
    )


def test_one_search_too_many_is_refused() -> None:
    world = replace(empty_world(), matchmaker=Matchmaker(Limits(max_tickets=0)))

    with pytest.raises(RequestError, match="Error adding to matchmaker"):
        matchmaker.add(world, ALICE, MatchmakerAdd(min_count=2, max_count=2))


def test_a_ticket_is_withdrawn_by_its_own_session_alone() -> None:
    world = empty_world()
    matchmaker.add(world, ALICE, MatchmakerAdd(min_count=2, max_count=2))

    with pytest.raises(RequestError, match="Matchmaker ticket not found") as refused:
        matchmaker.remove(world, BOB, MatchmakerRemove(ticket=NEW_ID))
    assert refused.value.code is ErrorCode.BAD_INPUT
    assert matchmaker.remove(world, ALICE, MatchmakerRemove(ticket=NEW_ID)) == [Reply()]

    assert len(world.matchmaker) == 0


def test_no_ticket_at_all_is_one_that_is_invalid() -> None:
    with pytest.raises(RequestError, match="Invalid matchmaker ticket"):
        matchmaker.remove(empty_world(), ALICE, MatchmakerRemove())
