"""Automata: whole texts, in linear time, whatever the expression."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.expression import compile_expression
from server.core.pattern import (
    MAX_POSITIONS,
    MAX_REMEMBERED,
    MAX_TEXT,
    Automaton,
    PatternError,
    Repeat,
    literal,
    wildcard,
)

PIECES = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "c"])
EXPRESSIONS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "{0}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.text("abc1\n", max_size=10))
def test_it_matches_what_a_backtracking_engine_matches(expression: str, text: str) -> None:
    try:
        automaton = compile_expression(expression)
    except PatternError:
        return  # too large

    assert automaton.matches(text) == (re.fullmatch(expression, text, re.ASCII) is not None)


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_a_wildcard_matches_as_its_expression_does(text: str, value: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(char, char) for char in text)

    assert wildcard(text, text).matches(value) == (re.fullmatch(expression, value) is not None)


def test_an_escaped_star_is_a_star() -> None:
    found = wildcard("a*", "a\0")

    assert found.matches("a*")
    assert not found.matches("ab")


@pytest.mark.parametrize(
    "expression",
    ["(a*)*b", "(a|a)*b", "(a|aa)+b", "a*a*a*a*a*b", "(.*)(.*)(.*)(.*)b", "((a?){50})b", "(a|b)*a(a|b){60}"],
)
def test_the_work_is_bounded_by_text_and_expression(expression: str) -> None:
    automaton = compile_expression(expression)
    texts = ["a" * MAX_TEXT, "ab" * (MAX_TEXT // 2), "aab" * (MAX_TEXT // 3)]
    begun = time.process_time()

    for text in texts:
        automaton.matches(text)

    assert automaton.work <= len(texts) * MAX_TEXT * (2 * MAX_POSITIONS + 1)
    assert time.process_time() - begun < 1


def test_it_remembers_a_limited_number_of_steps() -> None:
    automaton = compile_expression(".*x.{8}")

    for number in range(MAX_REMEMBERED + 100):
        automaton.matches(chr(0x4E00 + number))

    assert len(automaton._steps) <= MAX_REMEMBERED
    assert automaton.matches("x12345678")


def test_a_text_over_the_limit_matches_nothing() -> None:
    automaton = compile_expression(".*")

    assert automaton.matches("a" * MAX_TEXT)
    assert not automaton.matches("a" * (MAX_TEXT + 1))


def test_an_expression_over_the_limit_is_refused() -> None:
    assert compile_expression(f"a{{{MAX_POSITIONS}}}").matches("a" * MAX_POSITIONS)
    with pytest.raises(PatternError):
        compile_expression(f"a{{{MAX_POSITIONS + 1}}}")


@pytest.mark.parametrize(
    "expression", ["((((a{0}){999}){999}){999})", "((((){999}){999}){999})", "a{999}{999}"]
)
def test_repetitions_of_repetitions_are_not_written_out_for_ever(expression: str) -> None:
    with pytest.raises(PatternError):
        compile_expression(expression)


def test_a_repetition_of_nothing_matches_nothing_but_the_empty_text() -> None:
    assert Automaton(Repeat(literal("ab"), 0, 0)).matches("")
