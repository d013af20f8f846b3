"""The budget of questions for unknown key ids, and the memory of the answers."""

import pytest

from server.identity.unknown_keys import BURST, FLOOD_TOLD_S, PERIOD_S, REMEMBERED, REMEMBERED_S, UnknownKeys


def test_two_questions_at_once_then_one_per_period() -> None:
    unknown = UnknownKeys(0)

    assert [unknown.may_ask(0) for _ in range(4)] == [True] * BURST + [False] * 2
    assert not unknown.may_ask(PERIOD_S - 0.01)
    assert unknown.may_ask(PERIOD_S)
    assert not unknown.may_ask(PERIOD_S)


def test_the_budget_does_not_grow_beyond_its_burst() -> None:
    unknown = UnknownKeys(0)

    assert [unknown.may_ask(1e9) for _ in range(3)] == [True, True, False]


def test_an_id_is_remembered_for_its_time() -> None:
    unknown = UnknownKeys(0)
    unknown.remember("x", 5)

    assert unknown.remembers("x", 5 + REMEMBERED_S - 0.01)
    assert not unknown.remembers("x", 5 + REMEMBERED_S)
    assert not unknown.remembers("y", 5)


def test_the_oldest_memory_goes_when_there_are_too_many() -> None:
    unknown = UnknownKeys(0)
    for index in range(REMEMBERED):
        unknown.remember(str(index), 0)
    unknown.remember("0", 1)
    unknown.remember("new", 1)

    assert len(unknown) == REMEMBERED
    assert unknown.remembers("0", 1)
    assert not unknown.remembers("1", 1)


def test_everything_is_forgotten_when_a_new_set_is_loaded() -> None:
    unknown = UnknownKeys(0)
    unknown.remember("x", 0)
    unknown.forget()

    assert not unknown.remembers("x", 0)


@pytest.mark.parametrize(("later_s", "news"), [(0, False), (FLOOD_TOLD_S - 1, False), (FLOOD_TOLD_S, True)])
def test_a_flood_is_news_once_a_minute(later_s: float, news: bool) -> None:
    unknown = UnknownKeys(0)

    assert unknown.is_flood_news(100)
    assert unknown.is_flood_news(100 + later_s) is news
