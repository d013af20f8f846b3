"""Labels: what is one, and what is said of a text that is none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.party_label import MAX_LABEL_BYTES, LabelError, read_label


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
        label = read_label(text)
    except LabelError:
        return
    assert list(label) == ["a"]


@given(st.text(max_size=60) | st.text('{}[]",:0aetrunl\\- .', max_size=60))
def test_any_text_is_a_label_or_refused_as_none(text: str) -> None:
    with suppress(LabelError):
        read_label(text)
