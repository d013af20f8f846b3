"""Labels: what is one, what is said of a text that is none, and what queries see."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.party_label import MAX_LABEL_BYTES, LabelError, label_fields, read_label
from server.core.query import parse


def test_a_label_is_an_object_and_nothing_is_an_empty_one() -> None:
    assert read_label('{"mode":"ranked"}') == {"mode": "ranked"}
    assert read_label("") == read_label("{}") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lab", "invalid character 'l' looking for beginning of value"),
        ("[1]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ("7", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
        ('"x"', "json: cannot unmarshal string into Go value of type map[string]interface {}"),
        ("true", "json: cannot unmarshal bool into Go value of type map[string]interface {}"),
        ("null", "json: cannot unmarshal null into Go value of type map[string]interface {}"),
        ('{"a":1e999}', "json: cannot unmarshal number 1e999 into Go value of type float64"),
        ('{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        ('{"a":-Infinity}', "invalid character 'I' in numeric literal"),
    ],
)
def test_what_is_no_object_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(LabelError) as refused:
        read_label(text)

    assert str(refused.value) == f"failed to unmarshal party label: {why}"


def test_a_label_is_bounded_in_bytes() -> None:
    edge = '{"a":"' + "ü" * ((MAX_LABEL_BYTES - 8) // 2) + '"}'
    assert len(edge.encode()) == MAX_LABEL_BYTES

    assert read_label(edge)
    with pytest.raises(LabelError, match="party label too long, must be 0-2048 bytes"):
        read_label(edge + " ")


def test_a_label_that_is_nested_too_deep_for_the_parser_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # How deep that is depends on the Python, and on how deep the stack is already.
    def recurse(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("json.loads", recurse)

    with pytest.raises(LabelError, match="exceeded max depth"):
        read_label("{}")


def test_deep_nesting_is_no_bug() -> None:
    text = '{"a":' + "[" * 1015 + "1" + "]" * 1015 + "}"

    try:
        fields = label_fields(read_label(text))
    except LabelError:
        return
    assert fields == {"label.a": 1.0}


@pytest.mark.parametrize(
    "query",
    [
        "+label.mode:ranked",
        "+label.skill:>=50 +label.skill:<60",
        "+label.skill:55",
        "+label.open:T -label.full:T",
        "+label.tags:b",
        "+label.map.name:desert",
        "+label.rounds.length:3",
        '+label.day:>"2024-01-01"',
    ],
)
def test_every_value_of_a_label_is_found_by_its_path(query: str) -> None:
    label = read_label(
        '{"mode":"ranked","skill":55,"open":true,"full":false,"tags":["a","b"],"map":{"name":"desert"},'
        '"rounds":[{"length":3},{"length":5}],"day":"2024-05-01","nothing":null}'
    )

    assert parse(query).matches(label_fields(label))


@pytest.mark.parametrize(
    "query", ["+label.mode:rank", "+label.nothing:null", "+label.tags:c", "+mode:ranked"]
)
def test_what_is_not_in_a_label_is_not_found(query: str) -> None:
    assert not parse(query).matches(label_fields(read_label('{"mode":"ranked","tags":["a"],"nothing":null}')))


@given(st.text(max_size=60) | st.text('{}[]",:0aetrunl\\- .', max_size=60))
def test_any_text_is_a_label_or_refused_as_none(text: str) -> None:
    with suppress(LabelError):
        label_fields(read_label(text))
