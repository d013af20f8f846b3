"""Cuts a query into tokens, with the reference's rules for where a term ends and what a backslash does."""

from enum import Enum, auto
from typing import NamedTuple

RESERVED = frozenset('+-=&|><!(){}[]^"~*?:\\/ ')
"""What a backslash frees of its meaning; before anything else the backslash stays."""


class QueryError(ValueError):
    """The text is no query, or one over the limits."""


class Kind(Enum):
    """What a token is."""

    STRING = auto()
    NUMBER = auto()
    PHRASE = auto()
    PLUS = auto()
    MINUS = auto()
    COLON = auto()
    GREATER = auto()
    LESS = auto()
    EQUAL = auto()
    BOOST = auto()
    TILDE = auto()


class Token(NamedTuple):
    """`plain` is the text with a NUL for every character that was escaped."""

    kind: Kind
    text: str = ""
    plain: str = ""


OPERATORS = {
    "+": Kind.PLUS,
    "-": Kind.MINUS,
    ":": Kind.COLON,
    ">": Kind.GREATER,
    "<": Kind.LESS,
    "=": Kind.EQUAL,
}


def tokens(text: str) -> list[Token]:
    """All tokens. Raises QueryError for a quote that is not closed."""
    found: list[Token] = []
    cutter = _Cutter(text)
    while (token := cutter.next()) is not None:
        found.append(token)
    return found


class _Cutter:
    def __init__(self, text: str) -> None:
        self._rest = text
        self._at = 0

    def next(self) -> Token | None:
        text = self._rest
        while self._at < len(text) and text[self._at].isspace():
            self._at += 1
        if self._at >= len(text):
            return None
        char = text[self._at]
        if char in OPERATORS:
            self._at += 1
            return Token(OPERATORS[char])
        if char == '"':
            self._at += 1
            return self._phrase()
        if char in "^~":
            self._at += 1
            written, _ = self._until(" ")
            self._at += 1
            return Token(Kind.BOOST if char == "^" else Kind.TILDE, written or "1")
        if text[self._at :] == "\\":
            return None  # nothing is left to escape
        return self._term()

    def _phrase(self) -> Token:
        written, plain = self._until('"')
        if self._at >= len(self._rest):
            raise QueryError("a quote is not closed")
        self._at += 1
        return Token(Kind.PHRASE, written, plain)

    def _term(self) -> Token:
        """A number ends at a blank or at its boost; with anything else in it, it is a string."""
        begin = self._at
        written, plain = self._until(" ^")
        if _is_number(plain):
            return Token(Kind.NUMBER, written, plain)
        self._at = begin
        # What begins like a number takes one colon or tilde along: 12:30 is a term.
        digits = _leading_number(self._rest, begin)
        head = self._rest[begin : begin + digits + 1] if digits else ""
        if head[digits:] in (":", "~"):
            self._at = begin + len(head)
        else:
            head = ""
        written, plain = self._until(" :^~")
        return Token(Kind.STRING, head + written, head + plain)

    def _until(self, ends: str) -> tuple[str, str]:
        """What is written up to an unescaped end, and the same with NUL for what was escaped."""
        text, at = self._rest, self._at
        written: list[str] = []
        plain: list[str] = []
        while at < len(text) and text[at] not in ends:
            if text[at] != "\\":
                written.append(text[at])
                plain.append(text[at])
            elif at + 1 < len(text):
                at += 1
                escaped = text[at] if text[at] in RESERVED else f"\\{text[at]}"
                written.append(escaped)
                plain.append("\0" * len(escaped))
            at += 1
        self._at = at
        return "".join(written), "".join(plain)


def _is_number(text: str) -> bool:
    return bool(text) and text[0].isdecimal() and text.replace(".", "", 1).isdecimal()


def _leading_number(text: str, begin: int) -> int:
    """How many characters from here on look like a number."""
    at, dots = begin, 0
    while at < len(text) and (text[at].isdecimal() or (text[at] == "." and not dots and at > begin)):
        dots += text[at] == "."
        at += 1
    return at - begin
