"""JSON that has one reading."""

from typing import Any

import pytest

from server.identity.strict_json import MAX_DEPTH, NotStrict, load_object, loads


def test_plain_json_is_read() -> None:
    assert loads(b' {"a":[1,2.5,true,null,"\\u00fc\\ud83d\\ude00"]} ') == {"a": [1, 2.5, True, None, "ü😀"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":1}{}',
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"\\u0062":2}}',
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"1" * 5000,
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b'"\n"',
        b"[" * 100_000,
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(NotStrict):
        loads(data)


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_bounded(pair: tuple[bytes, bytes]) -> None:
    def nested(depth: int) -> bytes:
        return pair[0] * depth + b"1" + pair[1] * depth

    assert loads(nested(MAX_DEPTH))
    with pytest.raises(NotStrict):
        loads(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"x"'])
def test_an_object_is_required_where_one_is_meant(data: bytes) -> None:
    value: Any = loads(data)

    assert not isinstance(value, dict)
    with pytest.raises(NotStrict):
        load_object(data)
