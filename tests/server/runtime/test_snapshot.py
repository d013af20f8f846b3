"""A match as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.runtime.snapshot import VERSION, Seat, Snapshot, SnapshotError, decode, encode, state_of

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def snapshot(state: object, version: int = VERSION) -> Snapshot:
    return Snapshot(version, 7, 1.0, 2.0, 3, "label", (Seat("u", "s", "alice"),), state)


@given(PLAIN)
def test_what_is_written_is_read(state: object) -> None:
    assert decode(encode(snapshot(state))) == snapshot(state)


@pytest.mark.parametrize("state", [object(), {"a": {1, object()}}, 2**70, print])
def test_a_state_that_is_not_plain_is_told(state: object) -> None:
    with pytest.raises(SnapshotError, match="not plain"):
        encode(snapshot(state))


def test_a_state_that_holds_itself_is_told() -> None:
    state: list[object] = []
    state.append(state)

    with pytest.raises(SnapshotError, match="not plain: RecursionError"):
        encode(snapshot(state))


@pytest.mark.parametrize("data", [b"", b"\x00", b"garbage", encode(snapshot(1))[:-1], b"\x91" * 100_000])
def test_what_is_no_snapshot_is_told(data: bytes) -> None:
    with pytest.raises(SnapshotError, match="not a snapshot"):
        decode(data)


def test_a_snapshot_of_another_version_is_told() -> None:
    with pytest.raises(SnapshotError, match="version 2"):
        decode(encode(snapshot(1, version=VERSION + 1)))


def test_code_that_fails_is_told_by_its_kind_alone() -> None:
    def fail() -> None:
        raise KeyError("what a player said")

    with pytest.raises(SnapshotError, match=r"^snapshot\(\) raised KeyError$"):
        state_of(fail)
