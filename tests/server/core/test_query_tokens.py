"""Cutting queries into tokens."""

import pytest

from server.core.query_tokens import Kind, QueryError, Token, tokens


def cut(text: str) -> list[tuple[str, str]]:
    return [(token.kind.name, token.text) for token in tokens(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("+a:b", [("PLUS", ""), ("STRING", "a"), ("COLON", ""), ("STRING", "b")]),
        ("a-b+c>d=e", [("STRING", "a-b+c>d=e")]),
        ("3", [("NUMBER", "3")]),
        ("3.5 x", [("NUMBER", "3.5"), ("STRING", "x")]),
        ("1.2.3", [("STRING", "1.2.3")]),
        ("555c3", [("STRING", "555c3")]),
        ("12:30", [("STRING", "12:30")]),
        ("2024-01-01", [("STRING", "2024-01-01")]),
        (r"3\:", [("STRING", "3:")]),
        ("5^2", [("NUMBER", "5"), ("BOOST", "2")]),
        ("a^2 b", [("STRING", "a"), ("BOOST", "2"), ("STRING", "b")]),
        ("a^", [("STRING", "a"), ("BOOST", "1")]),
        ("a~ b", [("STRING", "a"), ("TILDE", "1"), ("STRING", "b")]),
        ("a~2", [("STRING", "a"), ("TILDE", "2")]),
        (r'"say \"hi\""', [("PHRASE", 'say "hi"')]),
        (r"a\ b\:c", [("STRING", "a b:c")]),
        (r"\+a \-b", [("STRING", "+a"), ("STRING", "-b")]),
        (r"escap\e", [("STRING", r"escap\e")]),
        ("a\\", [("STRING", "a")]),
        ("\\", []),
        (">=-5", [("GREATER", ""), ("EQUAL", ""), ("MINUS", ""), ("NUMBER", "5")]),
    ],
)
def test_a_query_is_cut_as_the_reference_cuts_it(text: str, expected: list[tuple[str, str]]) -> None:
    assert cut(text) == expected


def test_escaped_characters_are_marked() -> None:
    assert tokens(r"a\*b*") == [Token(Kind.STRING, "a*b*", "a\0b*")]


def test_a_quote_that_is_not_closed_is_refused() -> None:
    with pytest.raises(QueryError):
        tokens('a:"b')
