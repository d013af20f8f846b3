"""What a client makes of a state's messages, against the cases of RFC 7396."""

from typing import Any

import msgspec
import pytest

from server.runtime import Form, Gap, Replica
from server.runtime.replica import merged


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_applied_as_the_rfc_has_it(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


@pytest.mark.parametrize("form", Form)
def test_a_snapshot_and_the_changes_after_it_are_the_state(form: Form) -> None:
    encode = msgspec.json.encode if form is Form.JSON else msgspec.msgpack.encode
    replica = Replica(form)

    replica.apply(encode({"seq": 3, "state": {"a": 1, "b": {"c": 1}}}))
    replica.apply(encode({"seq": 7, "after": 3, "patch": {"a": None, "b": {"d": 2}}}))

    assert (replica.seq, replica.state) == (7, {"b": {"c": 1, "d": 2}})


@pytest.mark.parametrize("after", [0, 2, 4])
def test_a_gap_is_noticed_and_a_snapshot_closes_it(after: int) -> None:
    replica = Replica()
    replica.apply(b'{"seq":3,"state":{"a":1}}')

    with pytest.raises(Gap):
        replica.apply(b'{"seq":5,"after":%d,"patch":{"a":2}}' % after)
    assert (replica.seq, replica.state) == (3, {"a": 1})

    replica.apply(b'{"seq":5,"state":{"a":2}}')
    assert (replica.seq, replica.state) == (5, {"a": 2})


def test_who_has_no_snapshot_yet_takes_no_change() -> None:
    with pytest.raises(Gap):
        Replica().apply(b'{"seq":1,"after":0,"patch":{"a":2}}')
