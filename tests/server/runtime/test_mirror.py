"""An own copy of plain data: what counts as changed, and what cannot be held."""

from collections import defaultdict
from enum import IntEnum, StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.runtime.mirror import Mirror, Unsendable
from server.runtime.replica import merged


class Phase(StrEnum):
    PLAY = "play"


class Level(IntEnum):
    HARD = 3


def mirror(data: dict[str, Any] | None = None) -> Mirror:
    """One that holds this already."""
    made = Mirror(msgspec.json.encode)
    made.follow(data or {})
    return made


def sent(patch: dict[str, Any]) -> str:
    return msgspec.json.encode(patch).decode()


def test_what_the_game_changes_in_place_is_told_and_nothing_else() -> None:
    data: dict[str, Any] = {"ships": {"bob": {"x": 1, "at": [1, 2]}, "eve": {"x": 5}}, "round": 1}
    held = mirror(data)

    data["ships"]["bob"]["x"] = 2

    assert sent(held.follow(data)) == '{"ships":{"bob":{"x":2}}}'
    assert held.follow(data) == {}


def test_a_list_is_told_whole() -> None:
    data = {"at": [1, [2, {"deep": None}]], "other": [1]}
    held = mirror(data)

    data["at"][1][1]["deep"] = 1  # type: ignore[index]  # a list of anything

    assert sent(held.follow(data)) == '{"at":[1,[2,{"deep":1}]]}'


def test_what_is_gone_is_removed_at_its_depth() -> None:
    data: dict[str, Any] = {"ships": {"bob": {"x": 1, "y": 1}, "eve": {}}, "round": 1}
    held = mirror(data)

    del data["ships"]["bob"]["y"], data["ships"]["eve"], data["round"]

    assert sent(held.follow(data)) == '{"ships":{"bob":{"y":null},"eve":null},"round":null}'


KINDS = [0, False, 0.0, -0.0, 1, True, 1.0, "", "1", [], {}, [1], [True], [1.0], [[]], {"a": 1}, [None]]


@pytest.mark.parametrize("old", KINDS, ids=repr)
@pytest.mark.parametrize("new", KINDS, ids=repr)
def test_values_of_different_types_are_different(old: object, new: object) -> None:
    held = mirror({"it": old})

    patch = held.follow({"it": new})

    assert bool(patch) == (repr(old) != repr(new))
    reached = merged({"it": old}, msgspec.json.decode(sent(patch)))
    assert repr(reached) == repr({"it": new})


def test_an_entity_that_empties_stays_and_one_that_appears_empty_is_told() -> None:
    data: dict[str, Any] = {"bob": {"x": 1}}
    held = mirror(data)

    data["bob"].clear()
    data["eve"] = {}

    assert sent(held.follow(data)) == '{"bob":{"x":null},"eve":{}}'


def test_enums_tuples_and_other_dicts_are_sent_as_what_they_stand_for() -> None:
    data = {"phase": Phase.PLAY, Phase.PLAY: Level.HARD, "at": (1, Phase.PLAY), "of": defaultdict(int, a=1)}
    held = mirror()

    assert sent(held.follow(data)) == '{"phase":"play","play":3,"at":[1,"play"],"of":{"a":1}}'
    assert held.follow(data) == {}
    assert held.follow({"phase": "play", "play": 3, "at": [1, "play"], "of": {"a": 1}}) == {}


CYCLE: dict[str, Any] = {}
CYCLE["self"] = CYCLE


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "None cannot be sent"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (-float("inf"), "finite"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("\ud800", "surrogates"),
        (b"bytes", "bytes is no plain data"),
        ({1, 2}, "set is no plain data"),
        (..., "ellipsis is no plain data"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("before", [1.0, [1], None], ids=repr)
def test_what_cannot_be_sent_is_refused_and_its_place_named(value: Any, reason: str, before: Any) -> None:
    held = mirror({"ships": {"bob": {"x": before}}} if before is not None else {})

    with pytest.raises(ValueError, match=reason) as refused:
        held.follow({"ships": {"bob": {"x": value}}})

    assert str(refused.value).startswith("ships.bob.x: ")


@pytest.mark.parametrize("value", [float("nan"), 2**64, "\ud800", {1}, {1: 2}], ids=repr)
def test_a_place_within_a_list_is_named_too(value: object) -> None:
    held = mirror({"ships": [1, {"at": [0]}]})

    with pytest.raises(Unsendable, match=r"^ships\[1\]\.at\[0\]"):
        held.follow({"ships": [1, {"at": [value]}]})


@pytest.mark.parametrize("key", [1, True, None, 1.5, (), b"x"], ids=repr)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_key_that_is_no_text_is_refused(key: Any, wrapped: bool) -> None:
    data = {"a": {key: 1}}

    with pytest.raises(Unsendable, match=r"a key must be a str"):
        mirror({"a": {"1": 1}}).follow({"list": [data]} if wrapped else data)


@pytest.mark.parametrize("value", [-(2**63), 2**64 - 1, "é\U0001f600", 1e308], ids=repr)
def test_the_largest_that_can_be_sent_is(value: object) -> None:
    assert msgspec.json.decode(sent(mirror().follow({"it": value}))) == {"it": value}


def test_data_that_holds_itself_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        mirror().follow(CYCLE)


keys = st.sampled_from("abc")
data = st.recursive(
    st.sampled_from([*KINDS, "é"]) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(keys, data, max_size=3), max_size=5))
def test_patches_lead_from_state_to_state(states: list[dict[str, Any]]) -> None:
    held = mirror()
    reached: dict[str, Any] = {}

    for state in states:
        reached = merged(reached, msgspec.json.decode(sent(held.follow(state))))

        assert canonical(reached) == canonical(state)
        assert canonical(msgspec.json.decode(msgspec.json.encode(held.held))) == canonical(state)


def canonical(value: Any) -> Any:
    """Equal only for what is equal in type and sign too."""
    if isinstance(value, dict):
        return {key: canonical(each) for key, each in value.items()}
    return [canonical(each) for each in value] if isinstance(value, list) else repr(value)
