"""Stamps are read back as they were made, and not at all when anything about them was changed."""

from binascii import b2a_base64

import pytest

from loadtest import stamp
from loadtest.stamp import MARK, MARK_TEXT, SIZE, SIZE_TEXT, Stamp

MADE = stamp.pack(7, 8, 9, 10_000_000, 12_000_000)


def test_a_stamp_is_read_back() -> None:
    assert stamp.read(MADE + b"filling") == Stamp(run=7, visit=8, number=9, due_ns=10_000_000, slip_us=2000)


def test_its_text_stands_for_itself_in_front_of_whatever_follows() -> None:
    text = b2a_base64(MADE + b"filling", newline=False)

    assert text[:SIZE_TEXT] == b2a_base64(MADE, newline=False)
    assert text.startswith(MARK_TEXT)
    assert len(MADE) == SIZE


@pytest.mark.parametrize("carried", [MADE, b2a_base64(MADE, newline=False)])
def test_it_is_found_within_a_frame(carried: bytes) -> None:
    frame = b'{"x":"' + carried + b'"}'

    found = stamp.fields(frame, 6)

    assert found is not None
    assert found[:6] == (MARK, 7, 8, 9, 10_000_000, 2000)


@pytest.mark.parametrize("place", range(SIZE))
def test_any_changed_bit_is_noticed(place: int) -> None:
    for bit in range(8):
        changed = bytearray(MADE)
        changed[place] ^= 1 << bit

        assert stamp.read(bytes(changed)) is None
        if place >= len(MARK):
            assert stamp.fields(bytes(changed), 0) is None


@pytest.mark.parametrize("place", range(SIZE_TEXT))
def test_any_changed_character_is_noticed(place: int) -> None:
    text = b2a_base64(MADE, newline=False)
    for byte in set(range(256)) - {text[place]}:
        changed = bytearray(text)
        changed[place] = byte

        assert stamp.fields(bytes(changed), 0) is None


@pytest.mark.parametrize("data", [b"", MARK, MADE[:-1], b"x" * SIZE])
def test_what_is_too_short_or_something_else_is_none(data: bytes) -> None:
    assert stamp.read(data) is None
    assert stamp.fields(data, 0) is None
    assert stamp.fields(b2a_base64(data, newline=False), 0) is None


def test_acting_late_is_told_and_bounded_and_early_is_on_time() -> None:
    late, early = stamp.pack(0, 0, 0, 0, 2**62), stamp.pack(0, 0, 0, 1000, 0)

    assert (stamp.read(late) or Stamp(0, 0, 0, 0, 0)).slip_us == stamp.MAX_SLIP_US
    assert (stamp.read(early) or Stamp(0, 0, 0, 0, 1)).slip_us == 0


def test_a_shape_is_all_but_the_stamp() -> None:
    text = b2a_base64(MADE, newline=False)

    shape, plain = stamp.shape(b"ab" + text + b"cde", "here"), stamp.shape(b"ab" + MADE, "there")

    assert shape == (2 + SIZE_TEXT + 3, 2, b"ab", 2 + SIZE_TEXT, b"cde", "here")
    assert plain == (2 + SIZE, 2, b"ab", 2 + SIZE, b"", "there")
    assert stamp.shape(b"nothing", "") is None


@pytest.mark.parametrize("carried", [MADE, b2a_base64(MADE, newline=False)])
def test_a_shape_takes_another_stamp(carried: bytes) -> None:
    shape = stamp.shape(b"ab" + carried + b"cde", "")
    other = stamp.pack(1, 2, 3, 4, 5)

    assert shape is not None
    assert stamp.fill(shape, MADE) == b"ab" + carried + b"cde"
    assert stamp.fields(stamp.fill(shape, other), 2) == stamp.fields(other, 0)
