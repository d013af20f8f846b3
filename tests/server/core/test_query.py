"""The query language, against a naive evaluator and against hostile queries."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.query import EVERYTHING, MAX_CLAUSES, MAX_LENGTH, Fields, QueryError, parse

PLAYER: Fields = {
    "properties.region": "eu-west",
    "properties.rank": 30.0,
    "properties.level": "7",
    "properties.motto": "fair play: always",
    "properties.born": "2010-05-06",
    "properties.tags": ("red", "blue", 5.0),
    "label.open": "T",
}


@pytest.mark.parametrize(
    "query",
    [
        "*",
        "properties.region:eu-west",
        "+properties.region:eu-west -properties.region:us",
        "-properties.region:us",
        "+properties.rank:30 properties.region:us",
        "properties.region:us properties.rank:>=30",
        "+properties.rank:>29 +properties.rank:<31 +properties.rank:<=30",
        "+properties.rank:>-5 -properties.rank:-5",
        "properties.rank:30.0",
        "properties.level:7",
        "+properties.region:eu-*",
        "+properties.region:?u-w*t",
        "+properties.rank:*",
        "+properties.region:/(eu|us)-[a-z]+/",
        '+properties.motto:"fair play: always"',
        r"+properties.motto:fair\ play\:\ always",
        "+properties.region:eu-wast~",
        "+properties.region:eu-wasts~2 ",
        '+properties.born:>"2010-05-05" +properties.born:<="2010-05-06T00:00:00Z"',
        "+properties.born:2010-05-06",
        "+properties.tags:blue +properties.tags:red",
        "+properties.tags:5",
        "+label.open:T",
        "  +properties.rank:30   ",
        "+properties.rank: 30",
        "properties.region:us^5 properties.rank:>=10^2.5",
    ],
)
def test_a_query_finds_whom_it_describes(query: str) -> None:
    assert parse(query).matches(PLAYER)


@pytest.mark.parametrize(
    "query",
    [
        "properties.region:eu",
        "properties.region:EU-WEST",
        "eu-west",
        '"eu-west"',
        "30",
        "**",
        "+properties.region:us properties.rank:30",
        "+properties.rank:30 -properties.region:eu*",
        "properties.rank:>30",
        "properties.rank:<30",
        "properties.region:>5",
        r"properties.region:eu-\*",
        r"properties.region:\/eu-west/",
        "properties.region:/eu/",
        "properties.region:eu-xxst~",
        "properties.nothing:*",
        "properties.tags:red,blue",
        '"label.open:T"',
    ],
)
def test_a_query_leaves_out_whom_it_does_not_describe(query: str) -> None:
    assert not parse(query).matches(PLAYER)


@pytest.mark.parametrize(
    "query",
    [
        "", " ", "+", "-", "+++(", "+ ", ":", "a:", ":a", "^", "^5", "a:-text", "a:+text", "a:>text",
        "a:>=text", "a:<text", "a:<=text", "a:~text", "a:^text", "a::text", "a:b:c", '"open', 'a:"open',
        r"cat^3\:", r"cat^3\0", r"cat~3\:", "cat~3", "cat~-1", "a^x", "a^1e999", "a^nan", "a^1_0", "9" * 369,
        "a:>" + "9" * 369, "a:٣", "a:/", "a:/(/", "a:/a**/", "a:/\\b/", 'a:>"yesterday"', 'a:>-"2024-01-01"',
        "a:>", "a:>=", "a:-", "\\",
    ],
)  # fmt: skip
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)


def test_the_star_alone_is_everything() -> None:
    assert parse("*") is EVERYTHING
    assert parse("*").matches({})


@pytest.mark.parametrize(
    ("query", "score"),
    [
        ("*", 0.0),
        ("properties.region:eu-west", 1.0),
        ("+properties.region:eu-west properties.rank:30^2.5", 3.5),
        ("+properties.region:eu-west properties.rank:31^2.5", 1.0),
        ("properties.rank:>=10^10 properties.rank:>=20^ properties.rank:>=40^9", 11.0),
        ("+properties.rank:30 -properties.region:us", 1.0),
        ("properties.region:us properties.rank:30^-2", -2.0),
    ],
)
def test_clauses_that_hold_count_their_boost(query: str, score: float) -> None:
    assert parse(query).score(PLAYER) == score


def test_length_and_number_of_clauses_are_limited() -> None:
    assert len(parse("a:b " * MAX_CLAUSES).should) == MAX_CLAUSES
    assert len(parse("a:" + "b" * (MAX_LENGTH - 2)).should) == 1
    with pytest.raises(QueryError):
        parse("a:b " * (MAX_CLAUSES + 1))
    with pytest.raises(QueryError):
        parse("a:" + "b" * (MAX_LENGTH - 1))


def test_its_automata_tell_what_patterns_cost() -> None:
    query = parse("+a:/b*c/ d:*e -f:g")

    query.matches({"a": "bbbc", "d": "xe", "f": "g"})

    expression, wildcard = query.automata
    assert expression.work >= len("bbbc")
    assert wildcard.work == 0


# ---- against a naive evaluator

Check = Callable[[Fields], bool]
WORDS = ["eu", "us", "e", "eue"]
NAMES = ["a", "b.c"]
NUMBERS = [-2.0, 0.0, 1.5, 3.0]
VALUES = st.sampled_from([*WORDS, *NUMBERS, float("nan"), float("inf")])


def values(fields: Fields, name: str) -> list[str | float]:
    value = fields.get(name, ())
    return list(value) if isinstance(value, tuple) else [value]


def texts(fields: Fields, name: str) -> list[str]:
    return [value for value in values(fields, name) if isinstance(value, str)]


def numbers(fields: Fields, name: str) -> list[float]:
    return [value for value in values(fields, name) if not isinstance(value, str)]


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Check]:
    name = draw(st.sampled_from(NAMES))
    word = draw(st.sampled_from(WORDS))
    number = draw(st.sampled_from(NUMBERS))
    text = f"{number:g}"
    comparisons: dict[str, Check] = {
        ">": lambda fields: any(each > number for each in numbers(fields, name)),
        ">=": lambda fields: any(each >= number for each in numbers(fields, name)),
        "<": lambda fields: any(each < number for each in numbers(fields, name)),
        "<=": lambda fields: any(each <= number for each in numbers(fields, name)),
        "": lambda fields: number in numbers(fields, name) or text in texts(fields, name),
    }
    sign = draw(st.sampled_from(list(comparisons)))
    found: list[tuple[str, Check]] = [
        (f"{name}:{word}", lambda fields: word in texts(fields, name)),
        (f'{name}:"{word}"', lambda fields: word in texts(fields, name)),
        (
            f"{name}:{word}*",
            lambda fields: any(each.startswith(word) for each in texts(fields, name)),
        ),
        (
            f"{name}:?{word}",
            lambda fields: any(each[1:] == word for each in texts(fields, name) if each),
        ),
        (
            f"{name}:/[eu]+s?/",
            lambda f: any(re.fullmatch("[eu]+s?", each) for each in texts(f, name)),
        ),
        (f"{name}:*", lambda fields: name in fields),
        (word, lambda _: False),
        (f"{name}:{sign}{text}", comparisons[sign]),
    ]
    return draw(st.sampled_from(found))


CLAUSES = st.tuples(st.sampled_from(["", "+", "-"]), conditions(), st.sampled_from(["", "^2", "^0.5"]))
FIELDS = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(VALUES, st.lists(VALUES, min_size=1, max_size=3).map(tuple))
)


@given(st.lists(CLAUSES, min_size=1, max_size=5), FIELDS)
def test_it_agrees_with_a_naive_evaluator(
    clauses: list[tuple[str, tuple[str, Check], str]], fields: Fields
) -> None:
    query = parse(" ".join(prefix + text + boost for prefix, (text, _), boost in clauses))
    held = [(prefix, check(fields), float(boost[1:] or 1)) for prefix, (_, check), boost in clauses]
    musts = [hit for prefix, hit, _ in held if prefix == "+"]
    shoulds = [hit for prefix, hit, _ in held if not prefix]
    none_forbidden = not any(hit for prefix, hit, _ in held if prefix == "-")

    assert query.matches(fields) == (
        none_forbidden and all(musts) and (bool(musts) or not shoulds or any(shoulds))
    )
    assert query.score(fields) == sum(boost for prefix, hit, boost in held if hit and prefix != "-")


@given(st.text(r'ab+-:"\/*?^~<>=()[]{}|. 12é', max_size=60), FIELDS)
def test_only_the_documented_error_leaves(text: str, fields: Fields) -> None:
    try:
        query = parse(text)
    except QueryError:
        return

    query.matches(fields)
    query.score(fields)


@pytest.mark.parametrize(
    "piece",
    [
        "a:/(x*)*/ ",
        "+a:*x*x*x*x*x* ",
        'a:"b" ',
        "a\\",
        '"',
        "a:>1 ",
        "+a:b^2 ",
        "((((",
        "a:/[",
        "1.",
        "\\ ",
        "a~2 ",
        "^",
    ],
)
def test_the_longest_queries_are_read_and_judged_quickly(piece: str) -> None:
    text = (piece * MAX_LENGTH)[:MAX_LENGTH]
    begun = time.process_time()

    for length in (MAX_LENGTH, 1024, 512, 64):
        try:
            query = parse(text[:length])
        except QueryError:
            continue
        query.matches({"a": "x" * 256})

    assert time.process_time() - begun < 2
