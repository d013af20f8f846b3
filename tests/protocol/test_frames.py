"""Frames, built and found again, against the library's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode, apply_mask  # type: ignore[attr-defined]  # imported there

from protocol.frames import FIN_BINARY, FIN_TEXT, build, build_masked, extent

SIZES = [0, 1, 125, 126, 65535, 65536]


@pytest.mark.parametrize("size", SIZES)
def test_a_built_frame_is_what_the_library_builds(size: int) -> None:
    payload = b"x" * size

    assert build(FIN_TEXT, payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_found_where_it_was_put(size: int) -> None:
    payload = bytes(range(256)) * (size // 256) + b"y" * (size % 256)
    plain = b"before" + build(FIN_BINARY, payload) + b"behind"
    hidden = b"before" + build_masked(FIN_BINARY, payload, b"abcd", apply_mask) + b"behind"

    start, end = extent(plain, 6)
    assert plain[start:end] == payload
    start, end = extent(hidden, 6)

    assert apply_mask(hidden[start:end], hidden[start - 4 : start]) == payload
    assert hidden[end:] == b"behind"


@given(st.integers(0, 70000), st.booleans())
def test_a_head_that_is_cut_short_is_not_guessed(size: int, masked: bool) -> None:
    frame = (
        build_masked(FIN_TEXT, b"z" * size, b"abcd", apply_mask) if masked else build(FIN_TEXT, b"z" * size)
    )
    head = len(frame) - size

    assert all(extent(frame[:cut], 0) == (0, 0) for cut in range(head))
    assert extent(frame[:head], 0) == (head, len(frame))
