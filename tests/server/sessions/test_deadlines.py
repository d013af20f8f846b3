"""Deadlines: each comes once, in order and not before its time, and little is kept beside them."""

import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.sessions.deadlines import SLACK, Deadlines

KEYS = st.sampled_from("abcdef")
TIMES = st.integers(0, 20)
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS, TIMES),
    st.tuples(st.just("drop"), KEYS, st.just(0)),
    st.tuples(st.just("due"), st.just(""), TIMES),
)


def made(**at: float) -> Deadlines:
    deadlines = Deadlines()
    for key, time in at.items():
        deadlines.set(key, time)
    return deadlines


def test_what_is_due_comes_once_and_the_earliest_first() -> None:
    deadlines = made(b=2, a=1, c=3)

    assert deadlines.due(0.999) == []
    assert deadlines.due(2) == ["a", "b"]
    assert deadlines.due(2) == []
    assert deadlines.due(3) == ["c"]


def test_a_deadline_moves_later_and_earlier() -> None:
    deadlines = made(a=5, b=5)

    deadlines.set("a", 9)
    deadlines.set("b", 1)

    assert deadlines.due(1) == ["b"]
    assert deadlines.due(8) == []
    assert deadlines.due(9) == ["a"]


def test_a_dropped_deadline_never_comes_even_if_its_key_returns() -> None:
    deadlines = made(a=5)

    deadlines.drop("a")
    deadlines.drop("a")
    deadlines.set("a", 7)

    assert deadlines.due(6) == []
    assert deadlines.due(7) == ["a"]


def test_what_stood_in_the_heap_for_nothing_goes_when_it_surfaces() -> None:
    deadlines = made(a=5)
    deadlines.set("a", 1)
    deadlines.set("a", 9)

    assert deadlines.due(6) == []

    assert deadlines.entries == 1


def test_a_clock_that_goes_back_only_delays() -> None:
    deadlines = made(a=5, b=10)
    assert deadlines.due(6) == ["a"]

    assert deadlines.due(1) == []

    assert deadlines.due(10) == ["b"]


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_it_does_what_a_dictionary_of_times_would(steps: list[tuple[str, str, int]]) -> None:
    deadlines = Deadlines()
    model: dict[str, int] = {}

    for step, key, time in steps:
        if step == "set":
            deadlines.set(key, time)
            model[key] = time
        elif step == "drop":
            deadlines.drop(key)
            model.pop(key, None)
        else:
            due = deadlines.due(time)
            assert sorted(due) == sorted(each for each, at in model.items() if at <= time)
            for each in due:
                del model[each]
        assert len(deadlines) == len(model)
        assert deadlines.entries <= 2 * len(model) + SLACK


def test_many_who_come_and_go_leave_no_more_than_a_few_entries() -> None:
    deadlines = made(stays=1e9)

    for number in range(10_000):
        deadlines.set(str(number), number)
        deadlines.drop(str(number))
        assert deadlines.entries <= 2 + SLACK

    assert deadlines.due(1e9) == ["stays"]


def test_one_that_moves_back_and_forth_takes_no_room() -> None:
    deadlines = Deadlines()

    for number in range(10_000):
        deadlines.set("a", 1_000_000 - number)
        deadlines.set("a", 2_000_000)
        assert deadlines.entries <= 2 + SLACK

    assert deadlines.due(1_999_999) == []
    assert deadlines.due(2_000_000) == ["a"]


def test_ten_thousand_deadlines_cost_one_turn_of_the_heap_each(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines = made(**{str(number): number for number in range(10_000)})
    turns = 0
    pop, replace = heapq.heappop, heapq.heapreplace

    def counted_pop(heap: list[tuple[float, str]]) -> tuple[float, str]:
        nonlocal turns
        turns += 1
        return pop(heap)

    def counted_replace(heap: list[tuple[float, str]], item: tuple[float, str]) -> tuple[float, str]:
        nonlocal turns
        turns += 1
        return replace(heap, item)

    monkeypatch.setattr(heapq, "heappop", counted_pop)
    monkeypatch.setattr(heapq, "heapreplace", counted_replace)

    for now in range(10_000):
        assert deadlines.due(now) == [str(now)]

    assert turns == 10_000
    assert deadlines.entries == 0
