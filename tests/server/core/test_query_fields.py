"""Fields of nested values."""

from server.core.query import parse
from server.core.query_fields import MAX_DEPTH, fields_of


def test_names_are_joined_by_dots() -> None:
    assert fields_of({"label": {"mode": "duel", "map": {"size": 3}}}) == {
        "label.mode": "duel",
        "label.map.size": 3,
    }


def test_booleans_are_texts_and_null_is_nothing() -> None:
    assert fields_of({"label": {"open": True, "full": False, "none": None}}) == {
        "label.open": "T",
        "label.full": "F",
    }


def test_any_element_of_a_list_satisfies_a_query() -> None:
    fields = fields_of({"label": {"ids": ["a", "b"], "of": [{"x": 1}, {"x": 2}]}})

    assert parse("+label.ids:b +label.of.x:1").matches(fields)
    assert not parse("+label.ids:c").matches(fields)


def test_what_is_nested_too_deeply_is_not_found() -> None:
    nested: dict[str, object] = {"end": "x"}
    for _ in range(MAX_DEPTH - 1):
        nested = {"a": nested}

    assert list(fields_of(nested).values()) == ["x"]
    assert fields_of({"a": nested}) == {}
