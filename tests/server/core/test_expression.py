"""Reading regular expressions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.expression import compile_expression
from server.core.pattern import MAX_NESTING, PatternError


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("", ""),
        ("eu-.*", "eu-west"),
        ("^eu$", "eu"),
        (r"eu\$", "eu$"),
        ("(eu|us)-[0-9]{2,3}", "us-123"),
        ("(?i)EU", "eU"),
        ("(?:a|b)+?", "abba"),
        (r"\d+\.\d+", "3.14"),
        (r"[^\d]", "x"),
        (r"[\W]", "-"),
        (r"\S\s\D", "x y"),
        (r"[a\-z]", "-"),
        ("[]a]", "]"),
        ("[a-]", "-"),
        ("[[:alpha:]_]+", "a_B"),
        (r"\x41\x{1F600}", "A\U0001f600"),
        (r"\t", "\t"),
        ("a{,2}", "a{,2}"),
        ("{", "{"),
        ("a||b", ""),
        ("é?", "é"),
    ],
)
def test_it_describes_whole_texts(expression: str, text: str) -> None:
    automaton = compile_expression(expression)

    assert automaton.matches(text)
    assert not automaton.matches(f"{text}\n#")


@pytest.mark.parametrize(
    ("expression", "text"), [(".", "\n"), ("[^a]", "a"), (r"\d", "٣"), ("a", "A"), ("ab", "a")]
)
def test_it_does_not_match_other_texts(expression: str, text: str) -> None:
    assert not compile_expression(expression).matches(text)


@pytest.mark.parametrize(
    "expression",
    [
        "(", "a)", "[", "[a", "*", "a|*", "a**", "a{2}{3}", "a{3,2}", "a{1001}", r"\b", r"\pL", r"\1", "\\",
        "(?=a)", "(?P<n>a)", "(?<n>a)", "a^b", "a$b", "[z-a]", r"[a-\d]", "[[:nope:]]", r"\xZZ",
        r"\x{110000}", r"\x4", r"\x{", r"[\b]",
    ],
)  # fmt: skip
def test_what_it_does_not_offer_is_refused(expression: str) -> None:
    with pytest.raises(PatternError):
        compile_expression(expression)


def test_nesting_has_a_limit() -> None:
    deep = MAX_NESTING - 1

    assert compile_expression("(" * deep + "a" + ")" * deep).matches("a")
    with pytest.raises(PatternError):
        compile_expression("(" * (deep + 1) + "a" + ")" * (deep + 1))


@given(st.text(r"ab(){}[]|*+?^$\.,-0123dx:", max_size=40), st.text("ab0", max_size=10))
def test_only_the_documented_error_leaves(expression: str, text: str) -> None:
    try:
        compile_expression(expression).matches(text)
    except PatternError:
        return
