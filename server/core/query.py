"""The query language of matchmaking and listings: text -> Query, which then judges fields.

Clauses separated by blanks: `+` must, `-` must not, else should. Without a must, at least one should has to
hold. A clause that holds counts its boost. `query_tokens.py` cuts the text, and `query_tests.py` has what a
clause asks of a value. What the fields are called is the caller's business:

    parse("+label.skill:>=50").matches(fields_of({"label": {"skill": 60}}))

Make the fields once for each thing that is searched, not once for each question (`query_fields.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from server.core.expression import compile_expression
from server.core.pattern import Automaton, PatternError, wildcard
from server.core.query_tests import Day, Equal, Fuzzy, Pattern, Range, Test, Value, parse_time
from server.core.query_tokens import Kind, QueryError, Token, tokens

__all__ = ["EVERYTHING", "Clause", "Fields", "Query", "QueryError", "parse"]

MAX_LENGTH = 4096
"""Characters of a query."""
MAX_CLAUSES = 128
MAX_EDITS = 2

Fields = Mapping[str, Value | tuple[Value, ...]]
"""Values by field name. Of several values in one field, any may satisfy a clause."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on one field, and what it counts for when it holds."""

    field: str
    test: Test
    boost: float = 1.0

    def holds(self, fields: Fields) -> bool:
        value = fields.get(self.field)
        if value is None:
            return False
        if isinstance(value, tuple):
            return any(map(self.test.accepts, value))
        return self.test.accepts(value)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. Without any clause it matches everything."""

    must: tuple[Clause, ...] = ()
    should: tuple[Clause, ...] = ()
    must_not: tuple[Clause, ...] = ()

    def matches(self, fields: Fields) -> bool:
        for clause in self.must:
            if not clause.holds(fields):
                return False
        for clause in self.must_not:
            if clause.holds(fields):
                return False
        if self.must or not self.should:
            return True
        return any(clause.holds(fields) for clause in self.should)

    def score(self, fields: Fields) -> float:
        """The sum of the boosts of all clauses that hold. Only of use for fields that match."""
        return sum(clause.boost for clause in (*self.must, *self.should) if clause.holds(fields))

    @property
    def size(self) -> int:
        """How many clauses it has."""
        return len(self.must) + len(self.should) + len(self.must_not)

    @property
    def automata(self) -> tuple[Automaton, ...]:
        """What its patterns run on. Their `work` tells what they have cost."""
        return tuple(
            clause.test.automaton
            for clause in (*self.must, *self.should, *self.must_not)
            if isinstance(clause.test, Pattern)
        )


EVERYTHING = Query()


def parse(text: str) -> Query:
    """Read a query. `*` alone is everything. Raises QueryError."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"longer than {MAX_LENGTH} characters")
    return EVERYTHING if text == "*" else _Parser(tokens(text)).read()


class _Parser:
    """One pass over the tokens, each looked at once or twice."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0

    def read(self) -> Query:
        clauses: dict[Kind | None, list[Clause]] = {Kind.PLUS: [], Kind.MINUS: [], None: []}
        while True:
            prefix = self._take(Kind.PLUS) or self._take(Kind.MINUS)
            clauses[prefix.kind if prefix else None].append(self._clause())
            if self._at == len(self._tokens):
                break
            if sum(map(len, clauses.values())) >= MAX_CLAUSES:
                raise QueryError(f"more than {MAX_CLAUSES} clauses")
        return Query(tuple(clauses[Kind.PLUS]), tuple(clauses[None]), tuple(clauses[Kind.MINUS]))

    def _clause(self) -> Clause:
        token = self._next()
        if token.kind is Kind.STRING and self._take(Kind.COLON):
            field, test = token.text, self._of_field()
        else:
            # A term without a field asks the default field, which nothing has.
            field, test = "", self._term(token)
        boost = self._take(Kind.BOOST)
        return Clause(field, test) if boost is None else Clause(field, test, _number(boost.text))

    def _of_field(self) -> Test:
        token = self._next()
        match token.kind:
            case Kind.GREATER | Kind.LESS:
                return self._range(token.kind)
            case Kind.MINUS:
                number = self._next()
                if number.kind is not Kind.NUMBER:
                    raise QueryError("a value cannot begin with -")
                return Equal(f"-{number.text}", -_number(number.text))
            case _:
                pass
        return self._term(token)

    def _term(self, token: Token) -> Test:
        match token.kind:
            case Kind.PHRASE:
                return Equal(token.text)
            case Kind.NUMBER:
                return Equal(token.text, _number(token.text))
            case Kind.STRING:
                fuzzy = self._take(Kind.TILDE)
                return _text(token) if fuzzy is None else _fuzzy(token.text, fuzzy.text)
            case _:
                pass
        raise QueryError("a term was expected")

    def _range(self, kind: Kind) -> Test:
        inclusive = self._take(Kind.EQUAL) is not None
        above = kind is Kind.GREATER
        sign = "-" if self._take(Kind.MINUS) else ""
        token = self._next()
        if token.kind is Kind.NUMBER:
            return Range(_number(sign + token.text), above, inclusive)
        if token.kind is not Kind.PHRASE or sign:
            raise QueryError("a number or a date in quotes was expected")
        time = parse_time(token.text)
        if time is None:
            raise QueryError("no date")
        return Day(Range(time, above, inclusive))

    def _take(self, kind: Kind) -> Token | None:
        if self._at == len(self._tokens) or self._tokens[self._at].kind is not kind:
            return None
        self._at += 1
        return self._tokens[self._at - 1]

    def _next(self) -> Token:
        if self._at == len(self._tokens):
            raise QueryError("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]


def _text(token: Token) -> Test:
    try:
        if token.plain.startswith("/") and token.plain.endswith("/"):
            if len(token.text) < 2:
                raise QueryError("an expression needs two slashes")
            return Pattern(compile_expression(token.text[1:-1]))
        if "*" in token.plain or "?" in token.plain:
            return Pattern(wildcard(token.text, token.plain), any_number=not token.plain.strip("*"))
    except PatternError as error:
        raise QueryError(str(error)) from None
    return Equal(token.text)


def _fuzzy(text: str, edits: str) -> Test:
    number = _number(edits)
    if not 0 <= number <= MAX_EDITS:
        raise QueryError(f"fuzziness is 0 to {MAX_EDITS}")
    return Fuzzy(text, int(number))


def _number(text: str) -> float:
    try:
        # Python's own readings of digits in other scripts, blanks and 1_000 are not the reference's.
        number = float(text) if text.isascii() and "_" not in text and text.strip() == text else float("nan")
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise QueryError("no number")
    return number
