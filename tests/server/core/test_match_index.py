"""Listing the matches that the server runs."""

import pytest

from server.core.live_match import LiveMatch, MatchFilter
from server.core.match_index import MAX_CLAUSES, MAX_LABEL_BYTES, LabelTooLong, MatchIndex, label_fields
from tests.support.players import NEW_ID


def made(**labels: str) -> tuple[MatchIndex, dict[str, int]]:
    sizes: dict[str, int] = {}
    index = MatchIndex(lambda match_id: sizes.get(match_id, 0))
    for number, (name, label) in enumerate(labels.items()):
        index.add(LiveMatch(f"{name}.n", label, 99, 10, "arena"), create_time=1000 + number)
    return index, sizes


def names(index: MatchIndex, **wanted: object) -> str:
    search = index.search(MatchFilter(**({"limit": 10} | wanted)))  # type: ignore[arg-type]  # many types
    while search.look(1):
        pass
    return "".join(match.match_id.partition(".")[0] for match in search.found())


LABELS = {
    "a": '{"skill": 50, "mode": "duel", "open": true, "tags": ["x", "y"], "map": {"name": "ice"}}',
    "b": '{"skill": 20, "mode": "Duel", "open": false, "tags": []}',
    "c": '{"skill": "50", "mode": "free for all", "on": "2026-05-01"}',
    "d": "plain text",
    "e": "",
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "edcba"),
        ("*", "edcba"),
        ("+label.skill:>=50", "a"),
        ("label.skill:50", "ca"),
        ("+label.mode:duel", "a"),
        ("+label.mode:duel*", "a"),
        ("label.mode:/[dD]uel/", "ba"),
        ('label.mode:"free for all"', "c"),
        ("label.open:T", "a"),
        ("+label.open:F", "b"),
        ("label.tags:y", "a"),
        ("label.map.name:ice", "a"),
        ("label.skill:>0 label.mode:duel^5", "ab"),
        ("label.skill:>0 label.mode:Duel^5", "ba"),
        ('label.on:>"2026-04-01"', "c"),
        ("+handler_name:arena -label.skill:>0", "edc"),
        ("+node:n +tick_rate:10 +create_time:>=1003", "ed"),
        ("label_string:plain\\ text", "d"),
        ("label.nothing:x", ""),
    ],
)
def test_labels_are_searched_field_by_field(query: str, found: str) -> None:
    index, _ = made(**LABELS)

    assert names(index, query=query) == found


@pytest.mark.parametrize(
    "query", ['label.a:"open', "+", " ".join(f"label.a:{number}" for number in range(MAX_CLAUSES + 1))]
)
def test_a_query_that_is_none_is_refused(query: str) -> None:
    index, _ = made()

    with pytest.raises(ValueError, match=r"."):
        index.search(MatchFilter(10, query=query))


def test_a_query_counts_before_a_label() -> None:
    index, _ = made(**LABELS)

    assert names(index, query="label.open:T", label="") == "a"


@pytest.mark.parametrize(
    ("label", "found"), [("plain text", "d"), ("", "e"), ("plain", ""), (LABELS["a"], "a")]
)
def test_a_label_is_compared_as_a_whole(label: str, found: str) -> None:
    index, _ = made(**LABELS)

    assert names(index, label=label) == found


def test_the_newest_come_first_and_no_more_than_asked_for() -> None:
    index, _ = made(**LABELS)

    assert names(index, limit=2) == "ed"
    assert names(index, limit=1, query="label.skill:>0 label.open:T^2") == "a"


def test_sizes_are_asked_at_the_time_of_the_search() -> None:
    index, sizes = made(**LABELS)
    sizes |= {"a.n": 2, "b.n": 5}

    search = index.search(MatchFilter(1, min_size=2, max_size=4))
    assert not search.look(10)

    (match,) = search.found()
    assert (match.match_id, match.size) == ("a.n", 2)
    assert names(index, max_size=0) == "edc"


def test_a_new_label_is_found_at_once_and_keeps_its_place() -> None:
    index, _ = made(**LABELS)

    index.relabel("a.n", '{"open": false}')

    assert names(index, query="label.open:F") == "ba"
    known = index.get("a.n")
    assert known is not None
    assert known.label == '{"open": false}'


def test_a_match_that_is_over_is_not_found() -> None:
    index, _ = made(**LABELS)

    index.remove("e.n")
    index.remove("e.n")

    assert names(index) == "dcba"
    assert len(index) == 4
    assert index.get("e.n") is None
    with pytest.raises(KeyError):
        index.relabel("e.n", "")


def test_a_label_has_a_limit_in_bytes() -> None:
    index, _ = made(a="ü" * (MAX_LABEL_BYTES // 2))

    with pytest.raises(LabelTooLong):
        index.relabel("a.n", "ü" * (MAX_LABEL_BYTES // 2) + "x")
    assert names(index) == "a"


@pytest.mark.parametrize(
    "label", ["", "x", "7", "[1]", "null", '{"a": NaN}', "{", "[" * 2048, '{"a":null}', '{"a":1e999}']
)
def test_a_label_without_fields_has_none(label: str) -> None:
    assert label_fields(label) == {}


def test_fields_of_a_label_are_paths_to_values() -> None:
    label = f'{{"a": {{"b.c": [1, "x", [true], {{"d": "{NEW_ID}"}}]}}, "e": -2.5, "f": {10**30}}}'

    fields = dict(label_fields(label))

    assert set(fields.pop("label.a.b.c")) == {1.0, "x", "T"}  # type: ignore[arg-type]  # it is a tuple here
    assert fields == {"label.a.b.c.d": NEW_ID, "label.e": -2.5, "label.f": 1e30}
